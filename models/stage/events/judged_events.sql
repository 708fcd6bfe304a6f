{{ config(materialized='ephemeral') }}

with landed as (
    select * from {{ ref('raw_events') }}
),

accepted_actions as (
    select * from {{ ref('accepted_actions') }}
),

parsed as (
    select
        *,
        {{ landed_time('time') }} as event_at
    from landed
),

with_verdict as (
    select
        parsed.*,
        accepted_actions.action is not null as is_accepted_action,
        coalesce(
            parsed.malformed_line is null
            and {{ is_time_valid('parsed.event_at') }}
            and accepted_actions.action is not null,
            false
        ) as is_valid
    from parsed
    left join accepted_actions on parsed.action = accepted_actions.action
),

judged_events as (
    select
        *,
        -- Only the few rows that are not valid pay for their reasons: what does not select them does not compute them.
        if(
            malformed_line is not null,
            array('field_count'),
            array_compact(array(
                {{ time_reasons('time', 'event_at') }},
                case when nullif(action, '') is null then 'action_missing' end,
                case when action <> '' and not is_accepted_action then 'action_unknown' end
            ))
        ) as reasons
    from with_verdict
)

select * from judged_events
