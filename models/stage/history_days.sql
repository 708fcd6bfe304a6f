{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        full_refresh=false,
        partition_by=['history'],
        post_hook="{{ take_over_days_as_text() }}",
    )
}}

{{ no_history_days() }}
