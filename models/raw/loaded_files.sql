{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        full_refresh=false,
        partition_by=['source'],
    )
}}

{{ no_loaded_files() }}
