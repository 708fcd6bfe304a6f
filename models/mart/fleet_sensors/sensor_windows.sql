{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        on_schema_change='fail',
        tblproperties={'strata.window_minutes': var('window_minutes')},
    )
}}

{{ reading_windows(ref('stage_sensor_readings'), 'fleet_sensors', named='sensor') }}
