{{ config(materialized='incremental', incremental_strategy='merge', unique_key=['source', 'landed_name', 'change']) }}

with seen as (
    select sensor as landed_name, landed_on from {{ ref('stage_sensor_readings') }}
    union all
    select sensor as landed_name, landed_on from {{ ref('quarantine_sensor_readings') }}
    where sensor is not null
)

select
    'fleet_sensors' as source,
    landed_name,
    'added' as change,
    min(landed_on) as landed_on
from seen
group by landed_name
