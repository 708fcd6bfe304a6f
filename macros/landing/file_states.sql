{#- The columns of a model of file states, without a row: what is known before the first run. -#}
{% macro no_files() -%}
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
        cast(null as timestamp) as changed_at
    where false
{%- endmacro %}


{#- What a model of file states holds before this run. -#}
{% macro known_files() -%}
    {%- if is_incremental() -%}
    select * from {{ this }}
    {%- else -%}
    {{ no_files() }}
    {%- endif -%}
{%- endmacro %}


{#- The time of what this run changes in a relation: now, but later than any before, even where the clock was set back. -#}
{% macro next_changed_at(relation) -%}
    {%- if relation is not none -%}
    greatest(current_timestamp(), (select max(changed_at) + interval 1 microsecond from {{ relation }}))
    {%- else -%}
    current_timestamp()
    {%- endif -%}
{%- endmacro %}


{#-
  The body of a model of file states: a row for each file of `intake` that is in scope. `judged` has a row for each row
  of raw, with `path`, `loaded_at`, `is_valid` and the time named by `moment`. A file is refused for its fault, for a
  count of rows that differs from the intake's, and for more than max_quarantined_share of rows that are not valid.
-#}
{% macro file_states(intake, judged, moment) -%}
    with intake as (
        select * from {{ intake }}
    ),

    judged as (
        select * from {{ judged }}
    ),

    -- Should a path be known twice, its last state is what is known.
    known as (
        select * except (age)
        from (
            select
                *,
                row_number() over (partition by path order by changed_at desc) as age
            from ({{ known_files() }})
        )
        where age = 1
    ),

    day_counts as (
        select
            path,
            case when is_valid then date({{ moment }}) end as day,
            max(loaded_at) as loaded_at,
            count(*) as rows_loaded,
            count_if(is_valid) as rows_valid
        from judged
        where {{ in_scope('path') }}
        group by path, day
    ),

    row_counts as (
        select
            path,
            max(loaded_at) as loaded_at,
            sum(rows_loaded) as rows_loaded,
            sum(rows_valid) as rows_valid,
            sum(rows_loaded - rows_valid) as rows_not_valid,
            collect_list(day) as days
        from day_counts
        group by path
    ),

    in_sight as (
        select
            coalesce(intake.path, known.path) as path,
            intake.path is not null
            and (
                intake.is_listed
                -- Loaded since it was judged, and gone before it was judged again: it is as it was last found.
                or coalesce(row_counts.loaded_at <> known.loaded_at, row_counts.loaded_at is not null)
            ) as is_found,
            struct(intake.*) as intake,
            struct(known.*) as known,
            struct(row_counts.*) as row_counts
        from intake
        full outer join known on intake.path = known.path
        left join row_counts on coalesce(intake.path, known.path) = row_counts.path
        where {{ in_scope('coalesce(intake.path, known.path)') }}
    ),

    -- What this run neither listed nor loaded is as it was known.
    counted as (
        select
            path,
            if(is_found, intake.size, known.size) as size,
            if(is_found, intake.modified_at, known.modified_at) as modified_at,
            if(is_found, intake.content_hash, known.content_hash) as content_hash,
            if(is_found, intake.rows_landed, known.rows_landed) as rows_landed,
            if(is_found, intake.fault, known.fault) as fault,
            known.loaded_at as known_loaded_at,
            known.changed_at as known_changed_at,
            coalesce(known.touched_days, array()) as known_touched_days,
            -- A refused file that has gone is forgotten, and one that counts under another path (a link): its row stays, so
            -- that all it gave before is taken back.
            intake.same_as is not null
            or (
                not is_found
                and (known.status = 'gone' or (known.status = 'refused' and coalesce(intake.is_gone, true)))
            ) as is_gone,
            struct(
                known.content_hash,
                known.modified_at,
                known.loaded_at,
                known.rows_valid,
                known.rows_quarantined,
                known.reason,
                known.status
            ) as known_state,
            row_counts.loaded_at,
            coalesce(row_counts.rows_loaded, 0) as rows_loaded,
            coalesce(row_counts.rows_valid, 0) as rows_valid,
            coalesce(row_counts.rows_not_valid, 0) as rows_not_valid,
            coalesce(row_counts.days, array()) as days
        from in_sight
        where is_found or known.path is not null
    ),

    refusals as (
        select
            *,
            case
                when is_gone
                    then null
                when fault is not null
                    then fault
                when rows_loaded <> rows_landed
                    then format_string('%d rows were counted in it and %d were read', rows_landed, rows_loaded)
                when rows_not_valid > rows_loaded * {{ var('max_quarantined_share') }}
                    then format_string(
                        '%d of its %d rows are not valid, more than max_quarantined_share ('
                        || '{{ var("max_quarantined_share") }}) allows',
                        rows_not_valid, rows_loaded
                    )
            end as reason
        from counted
    ),

    states as (
        select
            * except (loaded_at),
            coalesce(loaded_at, known_loaded_at, current_timestamp()) as loaded_at,
            case when is_gone then 'gone' when reason is null then 'loaded' else 'refused' end as status,
            if(reason is null, rows_valid, 0) as rows_accepted,
            if(reason is null, rows_not_valid, 0) as rows_quarantined,
            if(reason is null, 0, rows_loaded) as rows_refused
        from refusals
    ),

    file_states as (
        select
            path,
            size,
            modified_at,
            loaded_at,
            content_hash,
            if(is_gone, 0, rows_landed) as rows_landed,
            rows_accepted as rows_valid,
            rows_quarantined,
            rows_refused,
            fault,
            status,
            reason,
            array_sort(array_union(known_touched_days, if(status = 'loaded', days, array()))) as touched_days,
            -- A file that is judged again with the same result keeps its time, so that nothing is recomputed for it.
            if(
                known_state
                <=> struct(content_hash, modified_at, loaded_at, rows_accepted, rows_quarantined, reason, status),
                known_changed_at,
                {{ next_changed_at(this if is_incremental() else none) }}
            ) as changed_at
        from states
    )

    select * from file_states
{%- endmacro %}
