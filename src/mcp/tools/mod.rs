//! The tools there are, one file for each subject.

mod containers;
mod explain;
mod history;
mod past;
mod plan;
mod pools;
mod provision;
mod status;
mod workflows;

use rmcp::handler::server::tool::ToolRouter;

use super::server::Server;
use super::tool::looking;
use super::tool::steering;

/// All of them.
pub(super) fn all() -> ToolRouter<Server> {
    let routes = [
        looking::<status::GetStatus>(),
        looking::<workflows::ListWorkflows>(),
        looking::<containers::ListContainers>(),
        looking::<explain::ExplainJob>(),
        looking::<plan::Plan>(),
        looking::<history::QueryHistory>(),
        steering::<pools::StartAutoscaler>(),
        steering::<pools::StopAutoscaler>(),
        steering::<provision::Provision>(),
        steering::<containers::StopContainer>(),
    ];
    routes.into_iter().fold(ToolRouter::new(), ToolRouter::with_route)
}
