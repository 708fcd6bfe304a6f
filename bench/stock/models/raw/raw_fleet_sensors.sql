{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        partition_by='landed_on',
        pre_hook="create or replace temporary view landed_fleet_sensors (value string) using text options (" ~ landed('fleet_sensors') ~ ")"
    )
}}

with landed as (
    select value as line, input_file_name() as path, {{ landed_on() }} as landed_on from landed_fleet_sensors
)

select * from landed
{{ only_new_days() }}
