{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='purchases',
        tblproperties={'delta.dataSkippingStatsColumns': 'landed_on,purchase_id'},
    )
}}

{{ quarantined_days(ref('judged_purchases'), 'purchases') }}
