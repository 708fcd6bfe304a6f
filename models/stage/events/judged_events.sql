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
        -- A cast alone is lenient (12:30 would be today): the text must have the whole form, and name a real time.
        case
            when time rlike '{{ event_time_pattern() }}'
                then try_cast(time as timestamp)
        end as event_at
    from landed
),

with_verdict as (
    select
        parsed.*,
        accepted_actions.action is not null as is_accepted_action,
        coalesce(
            parsed.malformed_line is null
            and parsed.event_at >= {{ earliest_valid_at() }}
            and parsed.event_at <= parsed.file_modified_at
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
        array_compact(array(
            case when malformed_line is not null then 'field_count' end,
            case when malformed_line is null and nullif(time, '') is null then 'time_missing' end,
            case when time <> '' and event_at is null then 'time_malformed' end,
            case when event_at > file_modified_at then 'time_in_future' end,
            case when event_at < {{ earliest_valid_at() }} then 'time_too_early' end,
            case when malformed_line is null and nullif(action, '') is null then 'action_missing' end,
            case when action <> '' and not is_accepted_action then 'action_unknown' end
        )) as reasons
    from with_verdict
)

select * from judged_events
