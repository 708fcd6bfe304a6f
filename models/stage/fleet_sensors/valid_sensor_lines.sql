{{ config(materialized='ephemeral') }}

with lines as (
    select * from {{ ref('judged_sensor_lines') }}
),

loaded_files as (
    select
        path,
        loaded_at
    from {{ ref('sensor_files') }}
    where status = 'loaded'
),

valid_sensor_lines as (
    select lines.*
    from lines
    -- Lines that were loaded since then are not judged yet.
    inner join loaded_files on lines.path = loaded_files.path and lines.loaded_at = loaded_files.loaded_at
    where lines.is_valid
)

select * from valid_sensor_lines
