{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        full_refresh=false,
        meta={'scope': 'files_to_judge', 'scope_column': 'path', 'intake': 'event_intake', 'raw': 'raw_events'},
        pre_hook="{{ check_first_load() }}",
    )
}}

{{ file_states(ref('event_intake'), ref('judged_events'), 'event_at') }}
