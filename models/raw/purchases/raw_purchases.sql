{{
    config(
        materialized='landed',
        alias='purchases',
        partition_by=['year', 'month', 'day'],
        tblproperties={'delta.dataSkippingNumIndexedCols': '0'},
    )
}}

{{ landed(source('landing', 'purchases')) }}
