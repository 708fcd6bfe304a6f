{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by='landed_on') }}

with accepted as (
    select
        truck_id,
        recorded_at,
        sensor,
        value,
        year(recorded_at) as year,
        month(recorded_at) as month,
        day(recorded_at) as day,
        path,
        landed_on
    from {{ ref('judged_sensor_values') }}
    where reason is null
)

select * from accepted
{{ only_new_days() }}
