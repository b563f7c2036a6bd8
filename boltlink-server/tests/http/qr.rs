//! QR codes of links, as pictures.

use boltlink_core::{SlugCase, SlugRules};
use boltlink_server::ServerOptions;
use fast_qr::{ECL, QRBuilder};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, parameters, path_of, problem, raw};

/// A picture's pixels: what colour each has, with its opacity.
struct Pixels {
    side: usize,
    colors: Vec<[u8; 4]>,
}

/// Asks for a PNG and reads it.
async fn png(server: &Server, link: &Value, query: &str) -> Pixels {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}{}/qr?format=png&{query}", server.address, path_of(link));
    let (_, key) = server.shortener.create_key(&boltlink_core::Actor::OPERATOR, key()).await.unwrap();
    let response = http.get(url).bearer_auth(key.reveal()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "image/png");
    let bytes = response.bytes().await.unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().unwrap();
    let mut image = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut image).unwrap();
    assert_eq!(info.width, info.height);
    let colors = image[..info.buffer_size()].as_chunks().0.to_vec();
    Pixels { side: info.width as usize, colors }
}

fn key() -> boltlink_core::NewKey {
    boltlink_core::NewKey::new("k".parse().unwrap(), boltlink_core::Scopes::ADMIN)
}

const BLACK: [u8; 4] = [0, 0, 0, 255];
const WHITE: [u8; 4] = [255; 4];

/// Whether the picture is the code of `text`, as an encoder of its own lays it out.
fn assert_code(pixels: &Pixels, text: &str, correction: ECL, margin: usize, [dark, light]: [[u8; 4]; 2]) {
    let code = QRBuilder::new(text).ecl(correction).build().unwrap();
    let scale = pixels.side / (code.size + 2 * margin);
    let offset = (pixels.side - scale * code.size) / 2;
    assert!(scale >= 1 && offset >= margin * scale);
    for y in 0..pixels.side {
        for x in 0..pixels.side {
            let module = |at: usize| at.checked_sub(offset).map(|at| at / scale).filter(|at| *at < code.size);
            let is_dark = module(y).zip(module(x)).is_some_and(|(row, column)| code[row][column].value());
            assert_eq!(pixels.colors[y * pixels.side + x], if is_dark { dark } else { light }, "{x} {y}");
        }
    }
}

#[tokio::test]
async fn the_picture_is_the_code_of_the_short_link() {
    let server = Server::start().await;
    let link = server.link(json!({ "slug": "abc" })).await;
    let url = link["short_url"].as_str().unwrap();
    let pixels = png(&server, &link, "").await;
    assert_eq!(pixels.side, 512);
    assert_code(&pixels, url, ECL::M, 4, [BLACK, WHITE]);
    for (query, correction) in [("L", ECL::L), ("M", ECL::M), ("Q", ECL::Q), ("H", ECL::H)] {
        let pixels = png(&server, &link, &format!("size=100&margin=0&error_correction={query}")).await;
        assert_code(&pixels, url, correction, 0, [BLACK, WHITE]);
    }
    let pixels = png(&server, &link, "size=333&margin=16&color=1f2937&background=%23FFEEdd").await;
    assert_eq!(pixels.side, 333);
    assert_code(&pixels, url, ECL::M, 16, [[0x1f, 0x29, 0x37, 255], [0xff, 0xee, 0xdd, 255]]);
    let pixels = png(&server, &link, "size=64&background=transparent&color=ff0000").await;
    assert_eq!(pixels.colors[0][3], 0);
    assert!(pixels.colors.contains(&[255, 0, 0, 255]));
    let pixels = png(&server, &link, "size=4096").await;
    assert_eq!(pixels.side, 4_096);
}

#[tokio::test]
async fn svg_is_what_is_drawn_if_nothing_is_said() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({})).await);
    let path = format!("{}/qr", path_of(&link));
    for query in ["", "?format=svg"] {
        let reply = client.get(&format!("{path}{query}")).await.unwrap();
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("image/svg+xml")));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert!(reply.text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"512\" height=\"512\""));
        assert!(reply.text.ends_with("</svg>"));
        assert_eq!(reply.text.matches("fill=\"#ffffff\"").count(), 1);
        assert_eq!(reply.text.matches("fill=\"#000000\"").count(), 1);
    }
    let reply = client.get(&format!("{path}?size=200&color=123456&background=transparent")).await.unwrap();
    assert!(reply.text.contains("width=\"200\"") && reply.text.contains("fill=\"#123456\""));
    assert_eq!(reply.text.matches("fill=").count(), 1);
    let head = client.send(client.request(Method::HEAD, &path)).await.unwrap();
    assert_eq!((head.status, head.header("content-type"), &*head.text), (200, Some("image/svg+xml"), ""));
}

#[tokio::test]
async fn what_cannot_be_drawn_is_refused() {
    let server = Server::start().await;
    let (client, link) = (server.client(), server.link(json!({})).await);
    for (query, parameter) in [
        ("format=gif", "format"),
        ("format=", "format"),
        ("size=31", "size"),
        ("size=4097", "size"),
        ("size=big", "size"),
        ("size=32&margin=16", "size"),
        ("margin=17", "margin"),
        ("margin=-1", "margin"),
        ("error_correction=X", "error_correction"),
        ("color=red", "color"),
        ("color=%23fff", "color"),
        ("color=transparent", "color"),
        ("color=00000\"", "color"),
        ("background=%2b00000", "background"),
        ("background=1234567", "background"),
    ] {
        let refused = client.get(&format!("{}/qr?{query}", path_of(&link))).await.unwrap();
        assert_eq!(parameters(&problem(&refused, 400)), [parameter], "{query}");
    }
}

#[tokio::test]
async fn only_who_sees_a_link_sees_its_code() {
    let server = Server::start().await;
    let link = server.link(json!({})).await;
    let path = format!("{}/qr", path_of(&link));
    assert_eq!(problem(&server.member().await.get(&path).await.unwrap(), 404)["code"], "link-not-found");
    assert_eq!(server.stranger().get(&path).await.unwrap().status, 401);
    assert_eq!(server.client().get("/api/v1/links/x/qr").await.unwrap().status, 404);
}

#[tokio::test]
async fn the_longest_link_has_a_code_and_is_told_of_where_it_has_none() {
    let rules = SlugRules { case: SlugCase::Sensitive, unicode: true };
    let server = Server::built(ServerOptions::default(), |stores| stores, |builder| builder.slug_rules(rules)).await;
    // 12 bytes each, percent-encoded.
    let link = server.link(json!({ "slug": "\u{10400}".repeat(128) })).await;
    let url = link["short_url"].as_str().unwrap();
    assert_eq!(raw(&server, "GET", url.strip_prefix(&format!("http://{}", server.address)).unwrap()).await.status, 302);
    assert_code(&png(&server, &link, "size=1000").await, url, ECL::M, 4, [BLACK, WHITE]);
    let refused = server.client().get(&format!("{}/qr?size=1000&error_correction=H", path_of(&link))).await.unwrap();
    assert_eq!(parameters(&problem(&refused, 400)), ["error_correction"]);
}
