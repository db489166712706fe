//! `ottla group list`.

use ottla_core::wire::messages::list_groups::ListedGroup;
use serde_json::json;

use crate::{
    cli::{
        CliError, Context,
        table::{Align, Table},
    },
    client::group::list_groups,
};

pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let groups = list_groups(&context.client).await?;
    context.print(
        || {
            let group = |group: &ListedGroup| {
                json!({
                    "group": group.group_id,
                    "protocol_type": group.protocol_type,
                    "state": group.group_state,
                    "type": group.group_type,
                })
            };
            json!({ "groups": groups.iter().map(group).collect::<Vec<_>>() })
        },
        || {
            let mut table = Table::new(&[
                ("GROUP", Align::Left),
                ("STATE", Align::Left),
                ("TYPE", Align::Left),
                ("PROTOCOL", Align::Left),
            ]);
            for group in &groups {
                table.row([
                    group.group_id.clone(),
                    group.group_state.clone(),
                    group.group_type.clone(),
                    group.protocol_type.clone(),
                ]);
            }
            table.to_string()
        },
    )
}
