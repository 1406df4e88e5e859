//! What a tool is.
//!
//! A tool either looks or steers, and says so once: by the trait that it implements. From that follow what it is handed,
//! what its annotations say, and to whom it is shown. Which role it takes follows from the calls that it makes.

use std::future::Future;
use std::sync::Arc;

use http::Extensions;
use http::request::Parts;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::tool::ToolRoute;
use rmcp::handler::server::tool::schema_for_input;
use rmcp::handler::server::tool::schema_for_output;
use rmcp::model::CallToolResult;
use rmcp::model::ContentBlock;
use rmcp::model::JsonObject;
use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::door::Looker;
use super::door::Steerer;
use super::server::Server;
use super::trouble::Trouble;

/// What a tool comes to.
pub(super) type Told<T> = Result<T, Trouble>;

/// What every tool says of itself.
pub(super) trait Tool: 'static {
    /// Its name, in snake case.
    const NAME: &'static str;
    /// Its name for people.
    const TITLE: &'static str;
    /// What it does, when to call it, and what to mind: all that an agent knows of it.
    const DESCRIPTION: &'static str;
    /// What it takes.
    type Ask: DeserializeOwned + JsonSchema + Send + 'static;
    /// What it gives.
    type Answer: Serialize + JsonSchema + Send + 'static;
}

/// A tool that changes nothing.
pub(super) trait Looks: Tool {
    /// Answers.
    fn look(api: Looker<'_>, ask: Self::Ask) -> impl Future<Output = Told<Self::Answer>> + Send;
}

/// A tool that changes something.
pub(super) trait Steers: Tool {
    /// Whether it takes something away; what does not only adds.
    const TAKES_AWAY: bool;
    /// Whether doing it twice comes to the same as doing it once.
    const REPEATABLE: bool;

    /// Does it.
    fn steer(api: Steerer<'_>, ask: Self::Ask) -> impl Future<Output = Told<Self::Answer>> + Send;
}

/// A tool that looks, for the table of tools.
pub(super) fn looking<T: Looks>() -> ToolRoute<Server> {
    // Nothing that a look does adds up, so these two say nothing; what it looks at is this fleet and no open world.
    let annotations = ToolAnnotations::with_title(T::TITLE).read_only(true).open_world(false);
    ToolRoute::new_dyn(described::<T>(annotations), |context: ToolCallContext<'_, Server>| {
        Box::pin(async move {
            let from = sender(&context);
            let door = context.service.door();
            let told = match asked::<T>(context.arguments) {
                Ok(ask) => T::look(Looker::new(door, &from), ask).await,
                Err(trouble) => Err(trouble),
            };
            Ok(result(told).into())
        })
    })
}

/// A tool that steers, for the table of tools.
pub(super) fn steering<T: Steers>() -> ToolRoute<Server> {
    let annotations = ToolAnnotations::with_title(T::TITLE)
        .read_only(false)
        .destructive(T::TAKES_AWAY)
        .idempotent(T::REPEATABLE)
        .open_world(false);
    ToolRoute::new_dyn(described::<T>(annotations), |context: ToolCallContext<'_, Server>| {
        Box::pin(async move {
            let from = sender(&context);
            let door = context.service.door();
            let told = match asked::<T>(context.arguments) {
                Ok(ask) => T::steer(Steerer::new(door, &from), ask).await,
                Err(trouble) => Err(trouble),
            };
            Ok(result(told).into())
        })
    })
}

fn described<T: Tool>(annotations: ToolAnnotations) -> rmcp::model::Tool {
    // One that is no object would be a mistake of ours, which a test of all tools notices.
    let input = plain(schema_for_input::<T::Ask>().unwrap_or_default());
    rmcp::model::Tool::new(T::NAME, T::DESCRIPTION, input)
        .with_title(T::TITLE)
        .with_raw_output_schema(plain(schema_for_output::<T::Answer>()))
        .with_annotations(annotations)
}

/// The schema without what only this program's language knows: widths of numbers, which are no formats of JSON Schema.
fn plain(schema: Arc<JsonObject>) -> Arc<JsonObject> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(object) => {
                let width = |format: &Value| {
                    format.as_str().is_some_and(|f| f.starts_with("uint") || f.starts_with("int"))
                };
                if object.get("format").is_some_and(width) {
                    object.remove("format");
                }
                object.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut schema = Arc::unwrap_or_clone(schema);
    schema.remove("$schema");
    schema.values_mut().for_each(strip);
    Arc::new(schema)
}

/// What is known of whoever sent the request, where there was one: over standard input there is none.
fn sender(context: &ToolCallContext<'_, Server>) -> Extensions {
    let head = context.request_context.extensions.get::<Parts>();
    head.map(|head| head.extensions.clone()).unwrap_or_default()
}

fn asked<T: Tool>(arguments: Option<JsonObject>) -> Told<T::Ask> {
    let arguments = Value::Object(arguments.unwrap_or_default());
    serde_json::from_value(arguments).map_err(|error| {
        Trouble::bad_call(format!("the arguments are not as {} takes them: {error}", T::NAME))
    })
}

fn result<T: Serialize>(told: Told<T>) -> CallToolResult {
    let told = told.and_then(|answer| {
        serde_json::to_value(answer)
            .map_err(|error| Trouble::bad_call(format!("the answer cannot be written: {error}")))
    });
    match told {
        Ok(value) => CallToolResult::structured(value),
        Err(trouble) => CallToolResult::error(vec![ContentBlock::text(trouble.to_string())]),
    }
}
