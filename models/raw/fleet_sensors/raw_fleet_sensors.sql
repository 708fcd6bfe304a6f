{{
    config(
        materialized='landed',
        alias='fleet_sensors',
        tblproperties={'delta.dataSkippingStatsColumns': 'recorded_at,path'},
    )
}}

{{ landed(source('landing', 'fleet_sensors')) }}
