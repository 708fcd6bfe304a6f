{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='sensor_readings',
        tblproperties={'delta.dataSkippingStatsColumns': 'recorded_at,path'},
    )
}}

{{ quarantined_readings(ref('judged_fleet_sensors'), 'fleet_sensors', named='sensor') }}
