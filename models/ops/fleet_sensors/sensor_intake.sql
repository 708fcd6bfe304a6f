{{ config(materialized='view') }}

{{ landed_files_of('fleet_sensors') }}
