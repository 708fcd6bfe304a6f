{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        partition_by='landed_on',
        pre_hook="create or replace temporary view landed_events (time string, action string) using csv options (" ~ landed('events') ~ ")"
    )
}}

with landed as (
    select time, action, input_file_name() as path, {{ landed_on() }} as landed_on from landed_events
)

select * from landed
{{ only_new_days() }}
