{{ config(materialized='incremental', incremental_strategy='append_new', full_refresh=false) }}
{% do changes_of(ref('loaded_files')) %}
{% do follow_verdicts() %}

with files as (
    select * from {{ ref('loaded_files') }}
),

accepted_files as (
    {{ accepted_files() }}
),

-- What each file has of each column: a value, and its types.
landed_columns as (
    select
        files.source,
        files.landed_column.name as landed_name,
        files.path,
        files.landed_on,
        coalesce(files.landed_column.value_count > 0, true) as has_value,
        array_distinct(files.landed_column.types) as types
    from (
        select
            source,
            path,
            landed_on,
            explode(columns) as landed_column
        from files
    ) as files
    left semi join accepted_files on files.source = accepted_files.source and files.path = accepted_files.path
),

known as (
    {{ known_schema_changes() }}
),

added as (
    select
        source,
        landed_name,
        array_join(min_by(types, struct(landed_on, path)), ', ') as type,
        'added' as change,
        min(struct(landed_on, path)) as first_seen
    from landed_columns
    group by source, landed_name
),

key_types as (
    select
        source,
        landed_name,
        explode(types) as type,
        landed_on,
        path
    from landed_columns
    where {{ is_growing_key() }}
),

type_conflicts as (
    select
        source,
        landed_name,
        type,
        'type_conflict' as change,
        min(struct(landed_on, path)) as first_seen
    from key_types
    where type <> 'number'
    group by source, landed_name, type
),

days as (
    select distinct
        source,
        landed_on
    from landed_columns
    where landed_on is not null
),

days_with_value as (
    select
        source,
        landed_name,
        landed_on,
        min(path) as path
    from landed_columns
    where has_value and landed_on is not null
    group by source, landed_name, landed_on
),

first_days as (
    select
        source,
        landed_name,
        min(landed_on) as landed_on
    from days_with_value
    group by source, landed_name
),

every_day as (
    select
        first_days.source,
        first_days.landed_name,
        days.landed_on,
        days_with_value.path is not null as has_value,
        lag(days_with_value.path) over (
            partition by first_days.source, first_days.landed_name order by days.landed_on
        ) is not null as had_value
    from first_days
    inner join days on first_days.source = days.source and first_days.landed_on <= days.landed_on
    left join days_with_value
        on
            first_days.source = days_with_value.source
            and first_days.landed_name = days_with_value.landed_name
            and days.landed_on = days_with_value.landed_on
),

silent as (
    select
        source,
        landed_name,
        landed_on
    from every_day
    where had_value and not has_value
),

-- A day may have been noted as silent before the file came that has a value of it: it has returned on that very day.
ever_silent as (
    select * from silent
    union distinct
    select
        source,
        landed_name,
        landed_on
    from known
    where change = 'silent'
),

returned as (
    select
        ever_silent.source,
        ever_silent.landed_name,
        min(struct(days_with_value.landed_on, days_with_value.path)) as first_seen
    from ever_silent
    inner join days_with_value
        on
            ever_silent.source = days_with_value.source
            and ever_silent.landed_name = days_with_value.landed_name
            and ever_silent.landed_on <= days_with_value.landed_on
    group by ever_silent.source, ever_silent.landed_name, ever_silent.landed_on
),

changes as (
    select * from added
    union all
    select * from type_conflicts
    union all
    select
        source,
        landed_name,
        null as type,
        'silent' as change,
        struct(landed_on, cast(null as string) as path) as first_seen
    from silent
    union distinct
    select
        source,
        landed_name,
        null as type,
        'returned' as change,
        first_seen
    from returned
),

columns as (
    {{ columns_of_sources() }}
),

newest_versions as (
    select
        source,
        max(newest) as version
    from columns
    group by source
),

schema_changes as (
    select
        changes.source,
        changes.landed_name,
        coalesce(columns.column_name, 'other_columns') as column_name,
        changes.type,
        changes.change,
        changes.first_seen.path,
        changes.first_seen.landed_on,
        coalesce(if(changes.change = 'added', columns.added_in, null), newest_versions.version) as table_version,
        current_timestamp() as noticed_at
    from changes
    left join newest_versions on changes.source = newest_versions.source
    left join columns on changes.source = columns.source and changes.landed_name = columns.landed_name
    left anti join known
        on
            changes.source = known.source
            and changes.landed_name = known.landed_name
            and changes.change = known.change
            and (
                changes.change = 'added'
                or (changes.change = 'type_conflict' and changes.type = known.type)
                or (changes.change in ('silent', 'returned') and changes.first_seen.landed_on = known.landed_on)
            )
    -- A key beyond max_columns is in quarantine, and no change of the table.
    where
        columns.column_name is not null
        or not ({{ is_of_growing_lines('changes.source') }})
)

select * from schema_changes
