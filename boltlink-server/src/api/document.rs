//! What poem-openapi cannot say in the document: that other fields are refused, an example of everything, and the slugs
//! that this server takes.

use serde_json::{Value, json};

use super::{
    access::{self, Rule},
    examples::examples,
    problem::{CONTENT_TYPE, Code},
    scalar::{SLUG_PATTERN, UNICODE_SLUG_PATTERN},
};

/// The document with what was missing; as it was if it is none.
pub(super) fn complete(spec: &str, unicode_slugs: bool) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(spec) else { return spec.to_owned() };
    tidy(&mut document);
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        for (name, example) in examples() {
            if let Some(schema) = schemas.get_mut(name) {
                schema["example"] = example;
            }
        }
        for name in BODIES {
            if let Some(schema) = schemas.get_mut(name) {
                schema["additionalProperties"] = Value::Bool(false);
            }
        }
    }
    if let Some(paths) = document["paths"].as_object_mut() {
        let operations = paths.values_mut().filter_map(Value::as_object_mut).flatten();
        operations.for_each(|(_, operation)| {
            add_problems(operation);
            add_scope(operation);
            add_rate_limits(operation);
            add_insiders(operation);
            add_names(operation);
        });
    }
    for (name, description) in NAMES {
        // On the listener for operators there is neither.
        let header = json!({ "description": description, "required": false, "schema": { "type": "string" } });
        document["components"]["headers"][name] = header;
    }
    if unicode_slugs {
        replace(&mut document, SLUG_PATTERN, UNICODE_SLUG_PATTERN);
    }
    serde_json::to_string_pretty(&document).unwrap_or_else(|_| spec.to_owned())
}

/// What requests are made of. Other fields than theirs are refused.
const BODIES: [&str; 13] = [
    "AccountPatch",
    "Credentials",
    "LinkIds",
    "LinkPatch",
    "LinkPatches",
    "NewAccount",
    "NewApiKey",
    "NewLink",
    "NewLinks",
    "NewPassword",
    "PasswordChange",
    "PasswordProof",
    "Registration",
];

/// Says in other words what readers stumble over: a described field of a named type, which is an `allOf` of the two,
/// values to choose from that may be null without null among them, and bounds of whole numbers that are none.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(tidy),
        Value::Object(fields) => {
            if let Some([reference, _]) = fields.get("allOf").and_then(Value::as_array).map(Vec::as_slice)
                && reference.get("$ref").is_some()
            {
                *value = reference.clone();
                return;
            }
            let nullable = fields.get("nullable").is_some_and(|nullable| *nullable == Value::Bool(true));
            if let Some(Value::Array(choices)) = fields.get_mut("enum").filter(|_| nullable) {
                choices.push(Value::Null);
            }
            for bound in ["minimum", "maximum"] {
                // Bounds are floats to poem-openapi; as such the large ones are not exact for every reader.
                if let Some(whole) = fields.get(bound).and_then(Value::as_f64).filter(|bound| bound.fract() == 0.0) {
                    fields.insert(bound.to_owned(), json!(whole as i64));
                }
            }
            fields.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// Shows of every problem that an operation may answer with what it looks like.
fn add_problems(operation: &mut Value) {
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for response in responses.values_mut() {
        let description = response["description"].as_str().unwrap_or_default().to_owned();
        let Some(content) = response.get_mut("content").and_then(|content| content.get_mut(CONTENT_TYPE)) else {
            continue;
        };
        // Descriptions name codes in backticks.
        let named = |code: &&Code| description.contains(&format!("`{}`", code.name()));
        for code in Code::ALL.iter().filter(named) {
            content["examples"][code.name()] = json!({ "value": problem(*code) });
        }
    }
}

/// Says what an operation needs of its caller. As a security requirement it could stand only at OAuth schemes, before OpenAPI
/// 3.1.
fn add_scope(operation: &mut Value) {
    let needs = match access::rule(operation["operationId"].as_str().unwrap_or_default()) {
        Rule::Public => return,
        Rule::Known => {
            operation["x-required-scope"] = "any".into();
            "Needs an API key or a session, whatever its scopes.".to_owned()
        }
        Rule::Session => {
            operation["x-required-scope"] = "session".into();
            "Needs a session: API keys are refused.".to_owned()
        }
        Rule::Needs(scope) => {
            operation["x-required-scope"] = scope.as_str().into();
            format!("Needs the scope `{scope}`.")
        }
    };
    let description = operation["description"].as_str().map(|text| format!("{text}\n\n")).unwrap_or_default();
    operation["description"] = format!("{description}{needs}").into();
}

/// Says that what succeeds tells what is left of the quota, too: it does wherever somebody is known by a key or a session.
fn add_rate_limits(operation: &mut Value) {
    if access::rule(operation["operationId"].as_str().unwrap_or_default()) == Rule::Public {
        return;
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    let Some(mut headers) = responses.get("429").map(|refusal| refusal["headers"].clone()) else { return };
    if let Some(headers) = headers.as_object_mut() {
        headers.retain(|name, _| name.starts_with("RateLimit-"));
        // Unless the operator limits nothing.
        headers.values_mut().for_each(|header| header["required"] = Value::Bool(false));
    }
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        match (response.get_mut("headers").and_then(Value::as_object_mut), headers.as_object()) {
            (Some(known), Some(headers)) => known.extend(headers.clone()),
            _ => response["headers"] = headers.clone(),
        }
    }
}

/// What any answer may have in its head.
const NAMES: [(&str, &str); 2] = [
    ("X-Request-Id", "What the server's log calls the request."),
    ("traceparent", "The request's span, if it is traced (W3C Trace Context)."),
];

fn add_names(operation: &mut Value) {
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for response in responses.values_mut() {
        if !response["headers"].is_object() {
            response["headers"] = json!({});
        }
        for (name, _) in NAMES {
            response["headers"][name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
    }
}

/// Says that an operation may also be called without a key: by whoever is [inside](super::Insider).
fn add_insiders(operation: &mut Value) {
    if operation["operationId"] == "metrics"
        && let Some(security) = operation["security"].as_array_mut()
    {
        security.insert(0, json!({}));
    }
}

pub(super) fn problem(code: Code) -> Value {
    let mut problem = json!({
        "type": format!("urn:boltlink:problem:{}", code.name()),
        "code": code.name(),
        "title": code.title(),
        "status": code.status().as_u16(),
        "detail": "what is wrong with this request, and what to do about it",
    });
    match code {
        Code::Invalid => {
            problem["errors"] =
                json!([{ "pointer": "/max_visits", "detail": "must be between 1 and 9007199254740991" }])
        }
        Code::SlugTaken => problem["errors"] = json!([{ "pointer": "/slug", "detail": "is taken by another link" }]),
        Code::InvalidParameter => {
            problem["errors"] = json!([{ "parameter": "limit", "detail": "must be between 1 and 500" }])
        }
        _ => {}
    }
    problem
}

fn replace(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(text) if text == old => *text = new.to_owned(),
        Value::Array(elements) => elements.iter_mut().for_each(|element| replace(element, old, new)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, old, new)),
        _ => {}
    }
}
