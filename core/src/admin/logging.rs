//! `/logging`: the levels of the process' own log.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::respond;
use crate::server::Control;
use crate::server::log::LogLevels;

const USAGE: &str = "usage: /logging?<name>=<level> (change single level)
usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)
usage: /logging?level=<level> (change all levels)
usage: /logging?group=<group_name>:<level> (change group of loggers)
levels: trace debug info warning error critical off 
";

/// Changes levels where the query says so, then lists them.
pub async fn change(
    State(control): State<Arc<Control>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let levels = &control.boot.log_levels;
    match apply(levels, &query) {
        Ok(()) => respond::text(StatusCode::OK, list(levels)),
        Err(reason) => respond::bad_request(format!("{reason}\n\n{USAGE}{}", list(levels))),
    }
}

fn apply(levels: &LogLevels, query: &[(String, String)]) -> Result<(), String> {
    let result = match query {
        [] => Ok(()),
        [(name, value)] => match name.as_str() {
            "group" => {
                let reason = "error: group parameter requires fine-grain logging to be enabled";
                return Err(reason.into());
            }
            "level" | "paths" if value.is_empty() => Ok(()),
            "level" => levels.set_all(value),
            "paths" => levels.set_list(value),
            name => levels.set(name, value),
        },
        _ => return Err("error: invalid number of parameters".into()),
    };
    result.map_err(|error| error.to_string())
}

fn list(levels: &LogLevels) -> String {
    let mut text = String::from("active loggers:\n");
    for (name, level) in levels.list() {
        text.push_str(&format!("  {name}: {level}\n"));
    }
    text.push('\n');
    text
}
