{{ config(materialized='ephemeral') }}

{{ judged_lines(ref('raw_fleet_sensors'), 'fleet_sensors') }}
