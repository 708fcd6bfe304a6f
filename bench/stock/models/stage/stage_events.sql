{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by='landed_on') }}

with accepted as (
    select
        event_at,
        action,
        year(event_at) as year,
        month(event_at) as month,
        day(event_at) as day,
        path,
        landed_on
    from {{ ref('judged_events') }}
    where reason is null
)

select * from accepted
{{ only_new_days() }}
