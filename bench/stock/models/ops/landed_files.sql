{{ config(materialized='table') }}

with counts as (
    select 'events' as source, path, count(*) as rows_landed, 0 as rows_valid, 0 as rows_quarantined from {{ ref('raw_events') }} group by path
    union all
    select 'events', path, 0, count(*), 0 from {{ ref('stage_events') }} group by path
    union all
    select 'events', path, 0, 0, count(*) from {{ ref('quarantine_events') }} group by path
    union all
    select
        'purchases' as source,
        path,
        count(*) as rows_landed,
        count_if(reason is null) as rows_valid,
        count_if(reason is not null) as rows_quarantined
    from {{ ref('judged_purchases') }}
    group by path
    union all
    select 'fleet_sensors' as source, path, count(*) as rows_landed, count(*) as rows_valid, 0 as rows_quarantined
    from {{ ref('raw_fleet_sensors') }}
    group by path
)

select
    source,
    path,
    sum(rows_landed) as rows_landed,
    sum(rows_valid) as rows_valid,
    sum(rows_quarantined) as rows_quarantined,
    'loaded' as status
from counts
group by source, path
