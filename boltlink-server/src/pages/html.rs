//! Small pages that need nothing but themselves.

/// What they are served as.
pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// A page that says one thing.
pub(crate) fn page(title: &str, text: &str) -> String {
    document(title, &format!("<p>{}</p>", escape(text)))
}

/// A page around `body`, which is HTML.
pub(crate) fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )
}

/// What a page with a form of ours may do: show itself, and send the form here and, as far as the answer leads elsewhere,
/// there (browsers hold redirects against `form-action`, too).
pub(crate) const FORM_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                                      form-action 'self' https: http:; frame-ancestors 'none'";

/// What a page with a form asks.
pub(crate) struct Form<'a> {
    pub(crate) title: &'a str,
    /// What is to be typed, and why.
    pub(crate) text: &'a str,
    /// What was wrong with what was typed before.
    pub(crate) wrong: Option<&'a str>,
    /// Name and value of what goes with it.
    pub(crate) hidden: Option<(&'a str, &'a str)>,
    /// What browsers may fill in: `new-password`, or `off`.
    pub(crate) autocomplete: &'a str,
    pub(crate) button: &'a str,
}

/// A page with a form that posts a `password` to where it came from. Needs no script.
pub(crate) fn password_form(form: &Form<'_>) -> String {
    let Form { title, text, wrong, hidden, autocomplete, button } = form;
    let wrong = wrong.map(|wrong| format!("<p role=\"alert\"><strong>{}</strong></p>\n", escape(wrong)));
    let hidden = hidden.map(|(name, value)| {
        format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", escape(name), escape(value))
    });
    let body = format!(
        "<p>{}</p>\n{}<form method=\"post\">\n{}<p><label>Password <input type=\"password\" name=\"password\" \
         autocomplete=\"{autocomplete}\" required autofocus></label> <button>{}</button></p>\n</form>",
        escape(text),
        wrong.unwrap_or_default(),
        hidden.unwrap_or_default(),
        escape(button),
    );
    document(title, &body)
}

const STYLE: &str = ":root{color-scheme:light dark}\
    body{margin:0;min-height:100vh;display:grid;place-items:center;font:1rem/1.5 system-ui,sans-serif}\
    main{max-width:32rem;padding:2rem}h1{font-size:1.5rem;margin:0 0 .5rem}p{margin:.25rem 0}";

/// Makes text safe within elements and quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_escaped() {
        let page = page("<script>", "a & \"b\" 'c'");
        assert!(page.contains("<h1>&lt;script&gt;</h1>"));
        assert!(page.contains("<p>a &amp; &quot;b&quot; &#39;c&#39;</p>"));
    }
}
