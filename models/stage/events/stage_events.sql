{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='events',
        tblproperties={'delta.dataSkippingStatsColumns': 'event_at,path'},
    )
}}
{% set scope = changed_files(ref('events_files')) %}

with accepted as (
    {{ accepted_rows(ref('judged_events'), ref('events_files'), scope) }}
),

stage_events as (
    select
        event_at,
        action,
        year(event_at) as year,
        month(event_at) as month,
        day(event_at) as day,
        path
    from accepted
    where is_valid
)

select * from stage_events
