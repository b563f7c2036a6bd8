//! `boltlink top`

use std::{
    collections::VecDeque,
    io, iter,
    process::ExitCode,
    time::{Duration, Instant},
};

use boltlink_core::{Actor, Clock, Shortener, SystemClock};
use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    layout::{Constraint, Layout},
    style::{Modifier, Style},
    text::Line,
    widgets::{Block, Paragraph, Sparkline},
};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::{
    engine,
    failure::Failure,
    scrape::{Between, Scrape, Source},
    status,
};
use crate::config::Config;

/// How often it looks.
const TICK: Duration = Duration::from_secs(1);
/// How often it asks the database for the links that are followed most.
const LINKS_TICK: Duration = Duration::from_secs(10);
/// Links that are shown.
const LINKS: u32 = 10;
/// Rates that are remembered: more than any terminal is wide.
const REMEMBERED: usize = 1_000;

/// What is shown.
#[derive(Default)]
struct View {
    ready: String,
    figures: Map<String, Value>,
    rates: VecDeque<u64>,
    links: Vec<String>,
    problem: Option<String>,
}

pub(super) async fn run(config: &Config) -> Result<ExitCode, Failure> {
    let source = Source::of(config);
    // Said before the screen is taken.
    let mut before = source.scrape().await?;
    let opened = engine::open_existing(config).await?;
    let mut terminal =
        ratatui::try_init().map_err(|error| Failure::new(format_args!("this is no terminal: {error}")))?;
    let mut keys = keys();
    let mut view = View::default();
    let mut links_at: Option<Instant> = None;
    let shown: io::Result<()> = loop {
        if let Err(error) = terminal.draw(|frame| draw(frame, &view)) {
            break Err(error);
        }
        tokio::select! {
            key = keys.recv() => if key.is_none_or(is_end) { break Ok(()) },
            () = tokio::time::sleep(TICK) => {
                view.look(source, &mut before).await;
                if links_at.is_none_or(|at| at.elapsed() >= LINKS_TICK) {
                    links_at = Some(Instant::now());
                    view.links = links(&opened.shortener).await;
                }
            }
        }
    };
    ratatui::restore();
    opened.close().await;
    shown.map_err(|error| Failure::new(format_args!("the terminal is gone: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

impl View {
    /// Asks the server. One that does not answer is asked again: it may be starting.
    async fn look(&mut self, source: Source, before: &mut Scrape) {
        let asked = async { Ok::<_, Failure>((source.ready().await?, source.scrape().await?)) };
        match asked.await {
            Ok(((_, ready), now)) => {
                self.ready = ready;
                self.figures = status::figures(Between { before, now: &now });
                let rate = self.figures.get("visits_per_second").and_then(Value::as_f64).unwrap_or_default();
                self.rates.push_front(rate as u64);
                self.rates.truncate(REMEMBERED);
                self.problem = None;
                *before = now;
            }
            Err(failure) => self.problem = Some(failure.text().to_owned()),
        }
    }
}

/// What is typed, by a thread of its own, as reading blocks.
fn keys() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(8);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                break;
            }
        }
    });
    receiver
}

fn is_end(event: Event) -> bool {
    let Event::Key(key) = event else { return false };
    let interrupts = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press && (interrupts || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}

/// The links that are followed most, of yesterday and today.
async fn links(shortener: &Shortener) -> Vec<String> {
    let today = SystemClock.now().day();
    match shortener.top(&Actor::OPERATOR, today - 1..today + 1, LINKS).await {
        Ok(top) => top.iter().map(|(stored, clicks)| format!("{clicks:>12}  {}", stored.link.slug)).collect(),
        Err(error) => vec![error.to_string()],
    }
}

fn draw(frame: &mut Frame<'_>, view: &View) {
    let [head, rates, rest] =
        Layout::vertical([Constraint::Length(2), Constraint::Length(8), Constraint::Min(0)]).areas(frame.area());
    let [figures, links] = Layout::horizontal([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(rest);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let state = view.problem.clone().unwrap_or_else(|| view.ready.clone());
    let title = Line::styled("BoltLink   (q ends)", bold);
    frame.render_widget(Paragraph::new(vec![title, Line::raw(state)]), head);
    let now = view.rates.front().copied().unwrap_or_default();
    let most = view.rates.iter().max().copied().unwrap_or_default();
    let title = format!("visits a second: {now}, {most} at most");
    // The newest on the right.
    let width = usize::from(rates.width.saturating_sub(2));
    let mut bars: Vec<u64> = view.rates.iter().copied().chain(iter::repeat(0)).take(width).collect();
    bars.reverse();
    frame.render_widget(Sparkline::default().block(Block::bordered().title(title)).data(bars), rates);
    let text = status::text(&view.figures);
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title("now")), figures);
    let links_block = Block::bordered().title("most clicked, yesterday and today");
    frame.render_widget(Paragraph::new(view.links.join("\n")).block(links_block), links);
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_has_its_place() {
        let mut view =
            View { ready: "{\"status\":\"ready\"}".into(), links: vec!["7  docs".into()], ..View::default() };
        view.rates.extend([30, 10]);
        view.figures.insert("visits_per_second".into(), json!(30.0));
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &view)).unwrap();
        let screen = terminal.backend().to_string();
        for text in ["visits a second: 30, 30 at most", "\"ready\"", "visits_per_second", "7  docs", "█"] {
            assert!(screen.contains(text), "{text} is not in\n{screen}");
        }
        view.problem = Some("no server answers".into());
        terminal.draw(|frame| draw(frame, &view)).unwrap();
        assert!(terminal.backend().to_string().contains("no server answers"));
    }
}
