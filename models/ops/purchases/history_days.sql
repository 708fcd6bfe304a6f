{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        full_refresh=false,
        partition_by=['history'],
        meta={'scope': 'written_by_the_snapshot'},
        post_hook="{{ take_over_days_as_text('purchases') }}",
    )
}}

{{ no_history_days() }}
