use proptest::prelude::*;

use super::*;

fn producer() -> ProducerId {
    "019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f".parse().unwrap()
}

fn hex(batch: &ClickBatch) -> String {
    batch.encoded().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn versions_2_and_3_stay_readable() {
    let link = "019ab2c4-6f1e-7cc3-98c4-dc0c0c073990".parse().unwrap();
    let click = Click {
        referrer: Some("https://a.example/"),
        language: Some("de"),
        visitor: Some(VisitorHash(7)),
        network: Some(Network::V4([192, 0, 2])),
        ..Click::bare(link, Timestamp::from_micros(1_767_225_600_000_000).unwrap())
    };
    let id = BatchId { producer: producer(), sequence: 300 };
    let vector = "019ab2c46f1e7cc398c4dc0c0c07398fac0201004020464847060002\
                  1268747470733a2f2f612e6578616d706c652f026465\
                  019ab2c46f1e7cc398c4dc0c0c073990001d000107000000000000000000000000000000c00002";
    assert_eq!(hex(&ClickBatch::new(id, [click])), format!("02{vector}"));
    let visit = TraceContext { trace_id: [0xab; 16], span_id: [0xcd; 8] };
    let visited = format!("03{vector}{}{}", "ab".repeat(16), "cd".repeat(8));
    assert_eq!(hex(&ClickBatch::traced(id, [click], [visit])), visited);
}

#[test]
fn traced_visits_go_along() {
    let visit = |number| TraceContext { trace_id: [number; 16], span_id: [number; 8] };
    let id = BatchId { producer: producer(), sequence: 1 };
    let clicks = || {
        [Click {
            referrer: Some("https://a.example/"),
            ..Click::bare(LinkId::from_uuid(Uuid::nil()), Timestamp::EPOCH)
        }]
    };
    let plain = ClickBatch::new(id, clicks());
    let traced = ClickBatch::traced(id, clicks(), [visit(1), visit(2)]);
    assert_eq!((plain.encoded()[0], traced.encoded()[0]), (2, 3), "an older release reads what it can");
    let read = ClickBatch::decode(traced.encoded().clone()).unwrap();
    assert_eq!(read, traced);
    assert_eq!(read.traces().collect::<Vec<_>>(), [visit(1), visit(2)]);
    assert_eq!(read.clicks().collect::<Vec<_>>(), plain.clicks().collect::<Vec<_>>());
    assert_eq!(plain.traces().count(), 0);
    let many = ClickBatch::traced(id, clicks(), (0..=255).map(visit));
    assert_eq!(many.traces().count(), TraceContext::MOST);
    let more = [&many.encoded()[..], &[1; TraceContext::LEN]].concat();
    assert_eq!(ClickBatch::decode(more.into()), Err(DecodeError::Malformed), "nobody writes more");
    assert_eq!(read.part(0..1).traces().count(), 0, "a part is of nobody's trace");
    let cut = traced.encoded().slice(..traced.encoded().len() - 1);
    assert_eq!(ClickBatch::decode(cut), Err(DecodeError::Malformed));
}

type Parts = (u128, i64, [Option<String>; 3], Option<u128>, Option<std::net::IpAddr>);

fn parts() -> impl Strategy<Value = Parts> {
    let text = || prop::option::of(".{0,20}");
    (
        any::<u128>(),
        0..4_000_000_000_000_000_i64,
        [text(), text(), text()],
        any::<Option<u128>>(),
        any::<Option<std::net::IpAddr>>(),
    )
}

fn click(parts: &Parts) -> Click<'_> {
    let (link, at, [referrer, user_agent, language], visitor, address) = parts;
    Click {
        link: LinkId::from_uuid(Uuid::from_u128(*link)),
        at: Timestamp::from_micros(*at).unwrap(),
        referrer: referrer.as_deref(),
        user_agent: user_agent.as_deref(),
        language: language.as_deref(),
        visitor: visitor.map(VisitorHash),
        network: address.map(Network::from),
    }
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        all in prop::collection::vec(parts(), 0..20),
        visits in prop::collection::vec(any::<([u8; 16], [u8; 8])>(), 0..3),
        sequence: u64,
    ) {
        let id = BatchId { producer: producer(), sequence };
        let visits: Vec<_> = visits.iter().map(|(trace_id, span_id)| TraceContext { trace_id: *trace_id, span_id: *span_id }).collect();
        let batch = ClickBatch::traced(id, all.iter().map(click), visits.iter().copied());
        let read = ClickBatch::decode(batch.encoded().clone()).unwrap();
        prop_assert_eq!(&read, &batch);
        prop_assert_eq!(read.clicks().collect::<Vec<_>>(), all.iter().map(click).collect::<Vec<_>>());
        prop_assert_eq!(read.traces().collect::<Vec<_>>(), visits);
    }

    #[test]
    fn rubbish_is_refused_without_harm(bytes: Vec<u8>, cut in 0_usize..100) {
        let _ = ClickBatch::decode(bytes.clone().into());
        for version in [VERSION, TRACED] {
            let _ = ClickBatch::decode([&[version], &bytes[..]].concat().into());
        }
        let batch = ClickBatch::new(
            BatchId { producer: producer(), sequence: 1 },
            [Click { referrer: Some("https://a.example/a/long/path"), ..Click::bare(LinkId::from_uuid(Uuid::nil()), Timestamp::EPOCH) }],
        );
        let short = batch.encoded().slice(..cut.min(batch.encoded().len() - 1));
        prop_assert_eq!(ClickBatch::decode(short), Err(DecodeError::Malformed));
    }
}
