//! Pages for people, and for the robots that visit every host.

use reqwest::Method;

use crate::support::Server;

#[tokio::test]
async fn the_documentation_asks_nobody_else_for_anything() {
    let server = Server::start().await;
    let reply = server.stranger().get("/docs").await.unwrap();
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/html; charset=utf-8")));
    // The page's own markup; what is inside its scripts can only do what the policy allows.
    let policy = reply.header("content-security-policy").unwrap();
    for source in policy.split(';').flat_map(|directive| directive.split_whitespace().skip(1)) {
        assert!(["'none'", "'self'", "'unsafe-inline'", "data:"].contains(&source), "{source}");
    }
    let head = reply.text.split("<style").next().unwrap();
    let tail = reply.text.rsplit("</script>").next().unwrap();
    for markup in [head, tail] {
        assert!(!markup.contains("src=") && !markup.contains("href=") && !markup.contains("//"), "{markup}");
    }
    assert!(!reply.text.contains("<link ") && !reply.text.contains("<script src"));
    assert!(reply.text.contains("create_link"));
}

#[tokio::test]
async fn the_root_says_what_this_is() {
    let server = Server::start().await;
    let reply = server.stranger().get("/").await.unwrap();
    assert_eq!(reply.status, 200);
    assert!(reply.text.contains("href=\"/docs\"") && reply.text.contains("href=\"/openapi.json\""));
    let robots = server.stranger().get("/robots.txt").await.unwrap();
    assert_eq!((robots.status, &*robots.text), (200, "User-agent: *\nDisallow: /\n"));
    assert_eq!(server.stranger().get("/favicon.ico").await.unwrap().status, 204);
    let client = server.stranger();
    let head = client.send(client.request(Method::HEAD, "/docs")).await.unwrap();
    assert_eq!((head.status, &*head.text), (200, ""));
}
