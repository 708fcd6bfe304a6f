{{ config(materialized='ephemeral') }}

with lines as (
    select * from {{ ref('judged_sensor_lines') }}
),

loaded_files as (
    select path from {{ ref('sensor_files') }}
    where status = 'loaded'
),

valid_sensor_lines as (
    select lines.*
    from lines
    inner join loaded_files on lines.path = loaded_files.path
    where lines.is_valid
)

select * from valid_sensor_lines
