{{ config(materialized='ephemeral') }}

with read as (
    {{ read_rows(ref('raw_events'), 'events') }}
),

accepted_actions as (
    select * from {{ ref('accepted_actions') }}
),

with_actions as (
    select
        read.*,
        accepted_actions.action is not null as is_accepted_action
    from read
    left join accepted_actions on read.action = accepted_actions.action
),

judged_events as (
    select
        *,
        {{ verdict('events', rules={'action_unknown': 'action is not null and not is_accepted_action'}) }}
    from with_actions
)

select * from judged_events
