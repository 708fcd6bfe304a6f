{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        meta={'scope': 'changed_files', 'scope_column': 'path', 'follows': 'sensor_files'},
    )
}}

with lines as (
    select * from {{ ref('valid_sensor_lines') }}
    where {{ in_scope('path') }}
),

landed_values as (
    select
        path,
        landed_on,
        explode(landed_values) as (landed_name, landed_text)
    from lines
),

counted as (
    select
        path,
        landed_on,
        landed_name,
        {{ json_type('landed_text') }} as type,
        count(*) as value_count
    from landed_values
    group by path, landed_on, landed_name, {{ json_type('landed_text') }}
),

sensor_keys as (
    select
        path,
        landed_on,
        landed_name,
        array_sort(collect_list(type)) as types,
        coalesce(sum(case when type is not null then value_count end), 0) as value_count
    from counted
    group by path, landed_on, landed_name
)

select * from sensor_keys
