{#-
  What became of each landed file of the declared sources, for the models of models/ops. `files` says what of them was taken;
  what was not taken stands in the listing.
-#}

{#- A row for each file of a declared source that was ever found, as its last listing left it. -#}
{% macro listed_files_of_sources() -%}
    {%- for source in _declared_sources() %}
    select
        '{{ source.name }}' as source,
        listed.*
    from ({{ _listed_files(source.name) }}) as listed
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{#- The files of all sources that were taken, or refused: the columns of ops.landed_files. -#}
{% macro taken_files() -%}
    {%- for source in _declared_sources() %}
    select
        '{{ source.name }}' as source,
        files.*
    from ({{ _taken_files_of(source) }}) as files
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{#- The files that were taken, or refused, of one source: the columns of ops.landed_files but `source`. -#}
{% macro _taken_files_of(source) -%}
    {%- set quarantine = ref('quarantine_' ~ source.quarantine) -%}
    {%- if source.arrives == 'events' -%}
    select
        path,
        size,
        modified_at,
        loaded_at,
        rows_landed,
        rows_valid,
        rows_quarantined,
        rows_refused,
        status,
        reason
    from {{ ref(source.name ~ '_files') }}
    {%- else -%}
    {#- A delivery with a file that cannot be taken leaves raw as it is, so that only the listing knows of the file. -#}
    {%- set unread = _unread_files(source) if source.arrives == 'daily_snapshot' else 'select cast(null as string) as path where false' -%}
    select
        files.path,
        files.size,
        files.modified_at,
        files.loaded_at,
        files.rows_landed,
        if(files.reason is null, files.rows_loaded - coalesce(quarantined.row_count, 0), 0) as rows_valid,
        if(files.reason is null, coalesce(quarantined.row_count, 0), 0) as rows_quarantined,
        if(files.reason is null, 0, files.rows_loaded) as rows_refused,
        case when files.reason is null then 'loaded' when gone.path is null then 'refused' else 'gone' end as status,
        files.reason
    from {{ ref('loaded_files') }} as files
    left join (
        select
            path,
            count(*) as row_count
        from {{ quarantine }}
        {%- if source.arrives == 'growing_lines' %}
        where line is not null
        {%- endif %}
        group by path
    ) as quarantined on files.path = quarantined.path
    left join ({{ _gone_files(source) if source.arrives == 'growing_lines' else 'select cast(null as string) as path where false' }}) as gone
        on files.path = gone.path
    left anti join ({{ unread }}) as unread on files.path = unread.path
    where files.source = '{{ source.name }}'
    {%- if source.arrives == 'daily_snapshot' %}
    union all
    select
        path,
        size,
        modified_at,
        cast(null as timestamp) as loaded_at,
        rows_landed,
        0 as rows_valid,
        0 as rows_quarantined,
        rows_landed as rows_refused,
        'refused' as status,
        fault as reason
    from ({{ unread }})
    {%- endif %}
    {%- endif %}
{%- endmacro %}


{#- The listed files of a daily snapshot that cannot be taken; a unit test has none. -#}
{% macro _unread_files(source) -%}
    {%- if execute and model.resource_type == 'model' -%}
    select path, size, modified_at, rows_landed, fault from ({{ _listed_files(source.name) }})
    where is_listed and fault is not null
    {%- else -%}
    select
        cast(null as string) as path,
        cast(null as bigint) as size,
        cast(null as timestamp) as modified_at,
        cast(null as bigint) as rows_landed,
        cast(null as string) as fault
    where false
    {%- endif -%}
{%- endmacro %}


{#- A row for all that lies in the landing folder and is not taken, as the runs that listed it left it. -#}
{% macro ignored_files_found() -%}
    select ignored.*
    from (
        select
            from_json(
                value, 'source string, path string, size bigint, modified_at timestamp, reason string'
            ) as ignored
        from text.`{{ _literal_path(env_var('STRATA_LAKE')) | replace('`', '``') }}/intake/ignored`
    )
{%- endmacro %}


{#-
  Guards: for each file, rows counted at landing = rows in raw = valid + quarantined, and for a refused file = refused. Without it
  a row could be lost, or be in twice, in the load or on its way to stage and quarantine. A generic test on ops.landed_files, of
  every source that is declared.
-#}
{% test accounts_for_every_row(model) %}
with files as (
    select * from {{ model }}
    where status <> 'ignored'
),

in_tables as (
    {% for source in _declared_sources() %}
    {%- set archive = ref('raw_' ~ source.name) -%}
    select '{{ source.name }}' as source, path, 'archive' as layer, count(*) as row_count from {{ archive }} group by path
    union all
    select '{{ source.name }}' as source, path, 'quarantine' as layer, count(*) as row_count
    from {{ ref('quarantine_' ~ source.quarantine) }}
    {{ 'where line is not null' if source.arrives == 'growing_lines' }}
    group by path
    {%- if source.arrives == 'events' %}
    union all
    select '{{ source.name }}' as source, path, 'valid' as layer, count(*) as row_count from {{ ref('stage_' ~ source.name) }} group by path
    {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {% endfor %}
),

counted as (
    select
        coalesce(files.source, in_tables.source) as source,
        coalesce(files.path, in_tables.path) as path,
        max(files.status) as status,
        max(files.rows_landed) as rows_landed,
        max(files.rows_valid) as rows_valid,
        max(files.rows_quarantined) as rows_quarantined,
        max(files.rows_refused) as rows_refused,
        sum(if(in_tables.layer = 'archive', in_tables.row_count, 0)) as in_archive,
        sum(if(in_tables.layer = 'quarantine', in_tables.row_count, 0)) as in_quarantine,
        sum(if(in_tables.layer = 'valid', in_tables.row_count, 0)) as in_valid
    from files
    full outer join in_tables on files.source = in_tables.source and files.path = in_tables.path
    group by 1, 2
)

select * from counted
where
    status is null
    or coalesce(in_quarantine, 0) <> rows_quarantined
    or (
        source in {{ _text_list(_declared_sources('events') | map(attribute='name') | list + ['']) }}
        and coalesce(in_valid, 0) <> rows_valid
    )
    -- Of a delivery that was never taken raw has nothing, and of one that cannot be read again what it had.
    or (
        coalesce(in_archive, 0) <> rows_valid + rows_quarantined + rows_refused
        and not (
            status = 'refused'
            and source in {{ _text_list(_declared_sources('daily_snapshot') | map(attribute='name') | list + ['']) }}
        )
    )
    -- A refused file may have more rows counted than could be read: that is then why it is refused.
    or (status = 'loaded' and rows_landed <> coalesce(in_archive, 0))
{% endtest %}
