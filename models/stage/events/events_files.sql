{{ config(materialized='incremental', incremental_strategy='replace_where') }}

{{ judged_files(ref('loaded_files'), ref('judged_events'), 'events') }}
