{{ config(materialized='ephemeral') }}

select
    raw.time,
    raw.action,
    try_cast(raw.time as timestamp) as event_at,
    case
        when not coalesce(raw.time rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}', false) then 'time_malformed'
        when try_cast(raw.time as timestamp) is null then 'time_malformed'
        when accepted.action is null then 'action_unknown'
    end as reason,
    raw.path,
    raw.landed_on
from {{ ref('raw_events') }} as raw
left join {{ ref('accepted_actions') }} as accepted on raw.action = accepted.action
