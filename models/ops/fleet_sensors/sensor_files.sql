{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        full_refresh=false,
        meta={'scope': 'files_to_judge', 'scope_column': 'path', 'intake': 'sensor_intake', 'raw': 'raw_sensor_lines'},
        pre_hook="{{ check_first_load() }}",
    )
}}

{{ file_states(ref('sensor_intake'), ref('judged_sensor_lines'), 'recorded_at') }}
