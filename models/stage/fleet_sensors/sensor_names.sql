{{ config(materialized='ephemeral') }}

-- depends_on: {{ ref('raw_fleet_sensors') }}
{{ landed_column_names('raw_fleet_sensors') }}
