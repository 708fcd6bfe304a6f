{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by='landed_on') }}

with refused as (
    select truck_id, recorded_at, sensor, landed_value, line, reason, path, landed_on from {{ ref('judged_sensor_values') }}
    where reason is not null
)

select * from refused
{{ only_new_days() }}
