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

judged as (
    select
        parsed.*,
        filter(
            array(
                case when parsed.malformed_line is not null then 'field_count' end,
                case when parsed.malformed_line is null and nullif(parsed.time, '') is null then 'time_missing' end,
                case when parsed.time <> '' and parsed.event_at is null then 'time_malformed' end,
                case when parsed.event_at > parsed.file_modified_at then 'time_in_future' end,
                case
                    when parsed.event_at < timestamp'{{ var('earliest_valid_date') }} 00:00:00'
                        then 'time_too_early'
                end,
                case when parsed.malformed_line is null and nullif(parsed.action, '') is null then 'action_missing' end,
                case when parsed.action <> '' and accepted_actions.action is null then 'action_unknown' end
            ),
            reason -> reason is not null
        ) as reasons
    from parsed
    left join accepted_actions on parsed.action = accepted_actions.action
)

select * from judged
