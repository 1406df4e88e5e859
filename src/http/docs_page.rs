//! The API's description as one page: no script, nothing fetched from anywhere.

use std::fmt::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use serde_json::Value;

const STYLE: &str = include_str!("docs_page.css");

/// The page, and what a browser may do with it.
pub(super) struct DocsPage {
    pub(super) html: String,
    pub(super) policy: String,
}

/// The page of this description, made once.
pub(super) fn page(document: &str) -> &'static DocsPage {
    static PAGE: OnceLock<DocsPage> = OnceLock::new();
    PAGE.get_or_init(|| made(&serde_json::from_str(document).unwrap_or_default()))
}

fn made(document: &Value) -> DocsPage {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    DocsPage {
        html: html(document),
        policy: format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    }
}

// Writing to a String cannot fail.
fn html(document: &Value) -> String {
    let info = &document["info"];
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>ghrunner API</title><style>{STYLE}</style></head>\n<body><main>\n\
         <h1>{} {} API</h1>\n<p>{}</p>\n<p><a href=\"/openapi.json\">openapi.json</a></p>\n",
        text(&info["title"]),
        text(&info["version"]),
        text(&info["description"])
    );
    out.push_str("<h2>Operations</h2>\n");
    for (path, item) in entries(&document["paths"]) {
        for (method, operation) in entries(item) {
            describe(&mut out, path, method, operation);
        }
    }
    out.push_str("<h2>Shapes</h2>\n");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let _ = write!(out, "<details id=\"{0}\"><summary><b>{0}</b> ", escaped(name));
        let _ = write!(
            out,
            "<span>{}</span></summary>\n{}</details>\n",
            text(&schema["description"]),
            fields(schema)
        );
    }
    out.push_str("</main></body></html>\n");
    out
}

fn describe(out: &mut String, path: &str, method: &str, operation: &Value) {
    let (path, word) = (escaped(path), escaped(&method.to_uppercase()));
    let what = [&operation["summary"], &operation["description"]].map(text).join(" ");
    let _ = writeln!(out, "<details><summary><code>{word} {path}</code> <span>{what}</span></summary>");
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        out.push_str("<h3>Parameters</h3><dl>\n");
        for parameter in parameters {
            let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
            let kind = kind(&parameter["schema"]);
            let _ = write!(out, "<dt><code>{name}</code> <small>{kind}, in {place}</small></dt>");
            let _ = writeln!(out, "<dd>{}</dd>", text(&parameter["description"]));
        }
        out.push_str("</dl>\n");
    }
    for (_, media) in entries(&operation["requestBody"]["content"]) {
        let _ = writeln!(out, "<h3>Body</h3><p>{}</p>", kind(&media["schema"]));
    }
    out.push_str("<h3>Answers</h3><dl>\n");
    for (status, response) in entries(&operation["responses"]) {
        let _ = write!(out, "<dt><code>{}</code>", escaped(status));
        for (media, content) in entries(&response["content"]) {
            let _ = write!(out, " <small>{}: {}</small>", escaped(media), kind(&content["schema"]));
        }
        let _ = writeln!(out, "</dt><dd>{}</dd>", text(&response["description"]));
    }
    out.push_str("</dl></details>\n");
}

/// The fields of a shape, or the words that it may be.
fn fields(schema: &Value) -> String {
    let mut out = String::from("<dl>\n");
    for (name, field) in entries(&schema["properties"]) {
        let _ = write!(out, "<dt><code>{}</code> <small>{}</small></dt>", escaped(name), kind(field));
        let _ = writeln!(out, "<dd>{}</dd>", text(&field["description"]));
    }
    out.push_str("</dl>\n");
    if schema["properties"].is_null() {
        let _ = writeln!(out, "<p>{}</p>", kind(schema));
    }
    out
}

/// A schema in a few words, with a link where it has a name.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let name = escaped(name);
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("<code>{}</code>", text(word))).collect::<Vec<_>>().join(" ");
    }
    let several = ["oneOf", "anyOf", "allOf"].into_iter().find_map(|key| schema[key].as_array());
    if let Some(several) = several {
        return several.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(word) if word == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(word) => escaped(word),
        Value::Array(words) => words.iter().map(text).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_shape_is_on_the_page() {
        let document: Value = serde_json::from_str(crate::http::document()).unwrap();
        let page = made(&document);
        assert!(page.html.contains("<code>POST /api/v1/pools/{name}/scale-up</code>"), "{}", page.html);
        for (name, _) in entries(&document["components"]["schemas"]) {
            assert!(page.html.contains(&format!("id=\"{name}\"")), "{name}");
        }
        let links = page.html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
        let broken: Vec<_> = links.filter(|name| !page.html.contains(&format!("id=\"{name}\""))).collect();
        assert_eq!(broken, [""; 0]);
    }

    #[test]
    fn nothing_is_fetched_and_nothing_runs() {
        let evil = serde_json::json!({ "info": { "title": "<script>alert(1)</script>" }, "paths": { "/<img>": { "get": {} } } });
        let page = made(&evil);
        assert!(!page.html.contains("<script") && !page.html.contains("<img"), "{}", page.html);
        assert!(page.policy.starts_with("default-src 'none'; style-src 'sha256-"), "{}", page.policy);
        assert!(!page.html.contains("http://") && !page.html.contains("https://"));
    }
}
