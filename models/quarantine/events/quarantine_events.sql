{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='events',
        tblproperties={'delta.dataSkippingStatsColumns': 'path'},
    )
}}

{{ quarantined_rows(ref('judged_events'), ref('events_files'), 'events') }}
