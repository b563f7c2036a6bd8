//! The report: what was expected, what was seen, and how it went, as one page beside Goose's own.

use std::{fmt::Write, path::Path, time::Duration};

use crate::{Result, run::Shown, verdict::Check, watch::Sample};

/// The size of a plot, in pixels.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 160.0;

/// Writes `index.html`.
pub(crate) fn write(folder: &Path, shown: &Shown) -> Result {
    let Shown { profile, verdict, samples, kills } = shown;
    let mut rows = String::new();
    for Check { what, seen, is_met } in &verdict.0 {
        let (class, word) = if *is_met { ("met", "met") } else { ("not", "not met") };
        write!(rows, "<tr class=\"{class}\"><td>{}</td><td>{}</td><td>{word}</td></tr>", escaped(what), escaped(seen))?;
    }
    let mib = |sample: &Sample| sample.memory / f64::from(1 << 20);
    let plots: String = [
        plot("Memory, MiB", samples, kills, mib),
        plot("Open files", samples, kills, |sample| sample.files),
        plot("Tasks", samples, kills, |sample| sample.tasks),
    ]
    .concat();
    let said = if verdict.is_good() { "passed" } else { "failed" };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>BoltLink under load: {name}</title><style>{STYLE}</style>\
         <h1>{name}: {said}</h1><table><tr><th>expected</th><th>seen</th><th></th></tr>{rows}</table>{plots}\
         <h2>Requests and answers</h2><p><a href=\"goose.html\">goose.html</a> by itself.</p>\
         <iframe src=\"goose.html\" title=\"Goose's report\"></iframe></html>",
        name = profile.name()
    );
    std::fs::write(folder.join("index.html"), page)?;
    Ok(())
}

const STYLE: &str = "body{font:16px system-ui;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}\
                     td,th{padding:.3em .8em;border-bottom:1px solid #ccc;text-align:left}.not td{background:#fdd}\
                     svg{background:#f7f7f7}path{fill:none;stroke:#1668a8;stroke-width:1.5}line{stroke:#c33}\
                     iframe{width:100%;height:80em;border:1px solid #ccc}";

/// One line over time, with a mark where the server was killed.
fn plot(title: &str, samples: &[Sample], kills: &[Duration], value: impl Fn(&Sample) -> f64) -> String {
    let end = samples.last().map_or(1.0, |sample| sample.at.as_secs_f64()).max(1.0);
    let most = samples.iter().map(&value).fold(1.0, f64::max);
    let x = |at: Duration| at.as_secs_f64() / end * WIDTH;
    let point = |sample: &Sample| format!("{:.1} {:.1}", x(sample.at), HEIGHT - value(sample) / most * HEIGHT * 0.95);
    let points: Vec<_> = samples.iter().map(point).collect();
    let marks: String = kills
        .iter()
        .map(|at| format!("<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"{HEIGHT}\"/>", x(*at)))
        .collect();
    format!(
        "<h2>{title}</h2><p>0 to {most:.1}, over {end:.0} s</p><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"100%\" role=\"img\" \
         aria-label=\"{title}\">{marks}<path d=\"M{}\"/></svg>",
        points.join(" L")
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
