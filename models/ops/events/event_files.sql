{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        full_refresh=false,
        meta={'scope': 'files_to_judge', 'scope_column': 'path'},
    )
}}

with intake as (
    select * from {{ ref('event_intake') }}
),

judged_events as (
    select * from {{ ref('judged_events') }}
),

known as (
    {% if is_incremental() -%}
    select * from {{ this }}
    {%- else -%}
    select
        cast(null as string) as path,
        cast(null as bigint) as size,
        cast(null as timestamp) as modified_at,
        cast(null as timestamp) as loaded_at,
        cast(null as string) as content_hash,
        cast(null as bigint) as rows_landed,
        cast(null as bigint) as rows_valid,
        cast(null as bigint) as rows_quarantined,
        cast(null as bigint) as rows_refused,
        cast(null as string) as fault,
        cast(null as string) as status,
        cast(null as string) as reason,
        cast(null as array<date>) as touched_days,
        cast(null as timestamp) as judged_at
    where false
    {%- endif %}
),

listed as (
    select * from intake
    where is_listed and {{ in_scope('path') }}
),

-- A file that this run did not list is as it was known; a refused one that has gone is forgotten.
not_listed as (
    select known.*
    from known
    left anti join listed on known.path = listed.path
    left anti join (select * from intake where is_gone) as gone
        on known.path = gone.path and known.status = 'refused'
    where {{ in_scope('known.path') }}
),

files as (
    select path, size, modified_at, content_hash, rows_landed, fault from listed
    union all
    select path, size, modified_at, content_hash, rows_landed, fault from not_listed
),

row_counts as (
    select
        path,
        max(loaded_at) as loaded_at,
        count(*) as rows_loaded,
        count_if(size(reasons) = 0) as rows_valid,
        count_if(size(reasons) > 0) as rows_not_valid,
        collect_set(case when size(reasons) = 0 then date(event_at) end) as days
    from judged_events
    where {{ in_scope('path') }}
    group by path
),

counted as (
    select
        files.*,
        row_counts.loaded_at,
        coalesce(row_counts.rows_loaded, 0) as rows_loaded,
        coalesce(row_counts.rows_valid, 0) as rows_valid,
        coalesce(row_counts.rows_not_valid, 0) as rows_not_valid,
        coalesce(row_counts.days, array()) as days
    from files
    left join row_counts on files.path = row_counts.path
),

refusals as (
    select
        *,
        case
            when fault is not null
                then fault
            when rows_loaded <> rows_landed
                then format_string('%d rows were counted in it and %d were read', rows_landed, rows_loaded)
            when rows_not_valid > rows_loaded * {{ var('max_quarantined_share') }}
                then format_string(
                    '%d of its %d rows are not valid, more than max_quarantined_share ({{ var("max_quarantined_share") }}) allows',
                    rows_not_valid, rows_loaded
                )
        end as reason
    from counted
),

states as (
    select
        *,
        if(reason is null, 'loaded', 'refused') as status,
        if(reason is null, rows_valid, 0) as rows_accepted,
        if(reason is null, rows_not_valid, 0) as rows_quarantined,
        if(reason is null, 0, rows_loaded) as rows_refused
    from refusals
),

newest as (
    select max(judged_at) as judged_at from known
),

event_files as (
    select
        states.path,
        states.size,
        states.modified_at,
        coalesce(states.loaded_at, known.loaded_at, current_timestamp()) as loaded_at,
        states.content_hash,
        states.rows_landed,
        states.rows_accepted as rows_valid,
        states.rows_quarantined,
        states.rows_refused,
        states.fault,
        states.status,
        states.reason,
        array_sort(array_union(
            coalesce(known.touched_days, array()),
            if(states.status = 'loaded', states.days, array())
        )) as touched_days,
        -- A file that is judged again with the same result keeps its time, so that nothing is recomputed for it.
        case
            when
                states.content_hash <=> known.content_hash
                and states.modified_at <=> known.modified_at
                and states.rows_accepted <=> known.rows_valid
                and states.rows_quarantined <=> known.rows_quarantined
                and states.reason <=> known.reason
                then known.judged_at
            else greatest(current_timestamp(), newest.judged_at + interval 1 microsecond)
        end as judged_at
    from states
    left join known on states.path = known.path
    cross join newest
)

select * from event_files
