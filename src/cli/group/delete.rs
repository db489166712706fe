//! `ottla group delete`.

use clap::Args;
use serde_json::json;

use crate::{
    cli::{CliError, Context},
    client::group::delete_group,
};

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The groups
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
}

pub(crate) async fn run(args: DeleteArgs, context: &Context) -> Result<(), CliError> {
    for group in args.groups {
        delete_group(&context.client, &group).await?;
        context.print(
            || json!({ "group": group, "deleted": true }),
            || format!("group {group} deleted\n"),
        )?;
    }
    Ok(())
}
