{#-
  raw.loaded_files: what the raw tables hold, file by file, as the loader knows it. It tells a run what it need not load, and
  the models what changed. The loader alone writes it, after the raw table; that both are in step is noted at the raw table,
  in its property strata.noted: the version that all is noted of. Where that is not the newest but one (a run was killed, the
  table restored, somebody wrote to it), raw is looked at, and what is not as noted is loaded again.
  Called by _load_source() and by what reads deliveries.
-#}

{#- Its columns, without a row. -#}
{% macro no_loaded_files() -%}
    select
        cast(null as string) as source,
        cast(null as string) as path,
        cast(null as date) as landed_on,
        cast(null as bigint) as size,
        cast(null as timestamp) as modified_at,
        cast(null as string) as content_hash,
        cast(null as array<struct<name: string, types: array<string>, value_count: bigint>>) as columns,
        cast(null as bigint) as rows_landed,
        cast(null as bigint) as rows_loaded,
        cast(null as bigint) as rows_malformed,
        cast(null as boolean) as is_ahead,
        cast(null as string) as fault,
        cast(null as string) as reason,
        cast(null as string) as delivery_content,
        cast(null as int) as reader,
        cast(null as timestamp) as loaded_at
    where false
{%- endmacro %}


{#-
  Make the tables that the loader and the snapshots write where they are not there: these run without the models of the tables,
  and several at a time. On run start, where one is at work alone. The lake tells its layout, in a property of the first: one of
  an older layout is taken over, one of a newer is refused.

  A run with --defer has tables of its own only if it writes them: ref() would take them for the state's. They then tell of
  what this run has not made what the state's tell.
-#}
{% macro make_engine_tables() %}
    {%- if execute and flags.WHICH in ('run', 'build', 'retry', 'snapshot') -%}
        {%- set files = load_relation(_place_of('loaded_files')) -%}
        {%- if files is none and _is_of_layout_1() -%}
            {% do _take_over_layout_1() %}
        {%- elif files is not none and _table_property(files, 'strata.layout') != '2' -%}
            {% do exceptions.raise_compiler_error(
                'The lake says in the property strata.layout of ' ~ files ~ ' that it is of the layout '
                ~ _table_property(files, 'strata.layout') ~ ', and this version works in layout 2: use the version that built it.'
            ) %}
        {%- endif -%}
        {%- if files is none or _newest_version(files).operation == 'RESTORE' -%}
            {#- It is not the table in which all was noted: each raw table is looked at. -#}
            {%- for source in _declared_sources() if load_relation(_place_of('raw_' ~ source.name)) is not none -%}
                {% do _forget_what_is_noted(_place_of('raw_' ~ source.name)) %}
            {%- endfor -%}
        {%- endif -%}
        {%- for name, sql, column, key, arrives, prefix in [
            ('loaded_files', no_loaded_files(), 'source', 'path', none, 'raw_'),
            ('history_days', no_history_days(), 'history', 'generation, landed_on', 'daily_snapshot', ''),
        ] -%}
            {%- set own = load_relation(_place_of(name)) -%}
            {%- set deferred = _deferred_relation(name) -%}
            {%- set others = [] -%}
            {%- set written = [name] if _built_node(name).unique_id in selected_resources else [] -%}
            {%- for source in _declared_sources(arrives) -%}
                {%- if _built_node(prefix ~ source.name).unique_id in selected_resources -%}
                    {% do written.append(source.name) %}
                {%- elif load_relation(_place_of(prefix ~ source.name)) is none -%}
                    {% do others.append(source.name) %}
                {%- endif -%}
            {%- endfor -%}
            {%- if own is none and (written or deferred is none) -%}
                {% do _create_delta_table(
                    _built_node(name), _place_of(name), sql, {'delta.enableChangeDataFeed': 'true', 'strata.layout': '2'}
                ) %}
            {%- endif -%}
            {%- if deferred is not none and (own is not none or written) and others -%}
                {% do _take_rows_of_state(_place_of(name), deferred, column, others, key.split(', ')) %}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{#- Have a table tell of some sources what the state's table tells; only what differs is written, for other tables follow it. -#}
{% macro _take_rows_of_state(relation, deferred, column, sources, key) %}
    {%- set columns = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {% call statement('take_rows_of_state') -%}
        merge into {{ relation }} as own
        using (select * from {{ deferred }} where {{ column }} in {{ _text_list(sources) }}) as state
        on own.{{ column }} = state.{{ column }}{% for part in key %} and own.{{ part }} = state.{{ part }}{% endfor %}
        when matched and not struct(own.{{ columns | join(', own.') }}) <=> struct(state.{{ columns | join(', state.') }}) then update set *
        when not matched then insert *
        when not matched by source and own.{{ column }} in {{ _text_list(sources) }} then delete
    {%- endcall %}
{% endmacro %}


{#- What is noted of a source's files. -#}
{% macro _known_files(source) -%}
    select * from {{ _built_relation('loaded_files') }}
    where source = '{{ source.name }}'
{%- endmacro %}


{#- Whether a raw table is as raw.loaded_files says. -#}
{% macro _is_all_noted(raw) %}
    {{ return(modules.strata.is_noted(_newest_version(raw), _table_property(raw, 'strata.noted'))) }}
{% endmacro %}


{#- Say in a raw table that raw.loaded_files tells all that it holds, up to its newest version. -#}
{% macro _note_all_is_noted(raw) %}
    {% do _set_table_properties(raw, {'strata.noted': _newest_version(raw).version}) %}
{% endmacro %}


{#- Have the next load look at what a raw table holds. -#}
{% macro _forget_what_is_noted(raw) %}
    {% do run_query('alter table ' ~ raw ~ " unset tblproperties if exists ('strata.noted')") %}
{% endmacro %}


{#-
  Look at a raw table of which not all is noted. A file whose rows are not those that were noted, by their count and the time
  of their load, has no content hash from then on, so that it is loaded again when it is there; and else is known by what
  raw holds.
-#}
{% macro _note_what_raw_holds(source, raw) %}
    {%- set differing -%}
        with loaded as (
            select path, max(loaded_at) as loaded_at, count(*) as rows_loaded, {{ _landed_day(source, 'min') }} as landed_on
            from {{ raw }}
            group by path
        ),

        known as (
            {{ _known_files(source) }}
        )

        select
            coalesce(loaded.path, known.path) as path,
            coalesce(loaded.landed_on, known.landed_on) as landed_on,
            loaded.loaded_at,
            coalesce(loaded.rows_loaded, 0) as rows_loaded
        from loaded
        full outer join known on loaded.path = known.path
        where
            not (loaded.rows_loaded <=> known.rows_loaded and loaded.loaded_at <=> known.loaded_at)
            and not (loaded.path is null and known.rows_loaded = 0)
    {%- endset -%}
    {%- set paths = run_query('select path from (' ~ differing ~ ')').columns[0].values() | list -%}
    {%- if paths -%}
        {#- Of a snapshot the days that they are of, for a day's content is that of all its files. -#}
        {%- set days = run_query('select distinct cast(landed_on as string) from (' ~ differing ~ ') where landed_on is not null')
            .columns[0].values() | list if source.arrives == 'daily_snapshot' else [] -%}
        {% call statement('note_what_raw_holds') -%}
            insert into {{ _place_of('loaded_files') }} replace where
            source = '{{ source.name }}' and (path in {{ _text_list(paths) }}{% if days %} or {{ _scope_predicate({'days': days}, 'landed_on') }}{% endif %})
            select
                '{{ source.name }}' as source,
                coalesce(differing.path, known.path) as path,
                coalesce(differing.landed_on, known.landed_on) as landed_on,
                coalesce(known.size, listed.size) as size,
                coalesce(known.modified_at, listed.modified_at) as modified_at,
                if(differing.path is null, known.content_hash, null) as content_hash,
                coalesce(known.columns, {{ _columns_of_header('listed.columns') }}) as columns,
                coalesce(known.rows_landed, listed.rows_landed, differing.rows_loaded) as rows_landed,
                coalesce(differing.rows_loaded, known.rows_loaded) as rows_loaded,
                known.rows_malformed,
                coalesce(known.is_ahead, true) as is_ahead,
                known.fault,
                known.reason,
                {{ 'contents.content' if days else 'cast(null as string)' }} as delivery_content,
                coalesce(known.reader, {{ _reader() }}) as reader,
                if(differing.path is null, known.loaded_at, differing.loaded_at) as loaded_at
            from ({{ differing }}) as differing
            full outer join (
                {{ _known_files(source) }}
                and (path in {{ _text_list(paths) }}{% if days %} or {{ _scope_predicate({'days': days}, 'landed_on') }}{% endif %})
            ) as known on differing.path = known.path
            left join ({{ _listed_files(source.name) }}) as listed on coalesce(differing.path, known.path) = listed.path
            {%- if days %}
            left join ({{ _delivery_contents(source, raw, days) }}) as contents
                on coalesce(differing.landed_on, known.landed_on) = contents.landed_on
            {%- endif %}
            -- A file without rows in raw, that had some, is not there.
            where coalesce(differing.rows_loaded, known.rows_loaded) > 0 or differing.path is null
        {%- endcall %}
    {%- endif -%}
    {% do _note_all_is_noted(raw) %}
{% endmacro %}


{#-
  Where there is no raw table of a source, nothing of it is loaded, whatever is noted: a table that somebody dropped is made anew
  of the files that are there.
-#}
{% macro _forget_all_files(source, raw) %}
    {%- set record = _place_of('loaded_files') -%}
    {#- Nothing stands in a record that has just been made; to delete from it takes seconds in a JVM that has just started. -#}
    {%- set forgotten = 0 if _newest_version(record).version | int == 0
        else run_query('delete from ' ~ record ~ " where source = '" ~ source.name ~ "'")[0][0] -%}
    {%- if forgotten -%}
        {% do exceptions.warn(
            'The table ' ~ raw ~ ' is gone: it is made anew from the files of ' ~ source.name ~ ' that are in the landing folder;'
            ~ ' to have those that have left it too, bring them back.'
        ) %}
    {%- endif -%}
{% endmacro %}


{#- Note what a run has loaded of some deliveries; `raw` holds their rows. -#}
{% macro _note_loaded_files(source, raw, changes) %}
    {%- if changes.deliveries -%}
        {%- set is_daily = source.arrives == 'daily_snapshot' -%}
        {%- set is_lines = source.arrives == 'growing_lines' -%}
        {%- set noted -%}
            source = '{{ source.name }}' and ({{ _deliveries_in(source, changes, 'loaded_files') }})
        {%- endset -%}
        {%- set files -%}
            select
                '{{ source.name }}' as source,
                listed.path,
                listed.landed_on,
                listed.size,
                listed.modified_at,
                listed.content_hash,
                {{ 'judged.columns' if is_lines else _columns_of_header('listed.columns') }} as columns,
                listed.rows_landed,
                coalesce(loaded.rows_loaded, 0) as rows_loaded,
                {{ 'coalesce(judged.rows_malformed, 0)' if is_lines else 'cast(null as bigint)' }} as rows_malformed,
                coalesce({{ 'judged' if is_lines else 'loaded' }}.is_ahead, false) as is_ahead,
                listed.fault,
                coalesce(
                    listed.fault,
                    if(
                        coalesce(loaded.rows_loaded, 0) <> listed.rows_landed,
                        format_string(
                            '%d rows were counted in it and %d were read', listed.rows_landed, coalesce(loaded.rows_loaded, 0)
                        ),
                        null
                    ){% if is_lines %},
                    {{ _share_refusal('judged.rows_malformed', 'loaded.rows_loaded', source) }}
                    {%- endif %}
                ) as reason,
                {{ 'coalesce(contents.content, \'0\')' if is_daily else 'cast(null as string)' }} as delivery_content,
                {{ _reader() }} as reader,
                coalesce(loaded.loaded_at, current_timestamp()) as loaded_at
            from (
                select * from ({{ _listed_files(source.name) }})
                where is_listed and same_as is null and ({{ _deliveries_in(source, changes, 'loaded_files') }})
            ) as listed
            left join (
                select
                    path,
                    count(*) as rows_loaded,
                    {{ 'false' if is_lines else _is_ahead_of_file(source) }} as is_ahead,
                    max(loaded_at) as loaded_at
                from {{ raw }}
                where {{ _deliveries_in(source, changes, 'raw') }}
                group by path
            ) as loaded on listed.path = loaded.path
            {%- if is_daily %}
            left join ({{ _delivery_contents(source, raw, changes.deliveries) }}) as contents
                on listed.landed_on = contents.landed_on
            {%- endif %}
            {%- if is_lines %}
            left join {{ _judged_keys(source) }}__files as judged on listed.path = judged.path
            {%- endif %}
        {%- endset -%}
        {% call statement('note_loaded_files') -%}
            {{ _replace_where(_place_of('loaded_files'), noted, files) }}
        {%- endcall %}
    {%- endif -%}
{% endmacro %}


{#- The names in a header as `columns` of raw.loaded_files; one that is there twice has two types. -#}
{% macro _columns_of_header(names) -%}
    transform(
        array_distinct({{ names }}),
        name -> struct(
            name, transform(filter({{ names }}, same -> same = name), same -> 'text') as types, cast(null as bigint) as value_count
        )
    )
{%- endmacro %}


{#- The landed day of a row in raw, aggregated. -#}
{% macro _landed_day(source, function) -%}
    {%- if source.arrives == 'daily_snapshot' -%}
        {{ function }}(make_date(year, month, day))
    {%- elif source.arrives == 'growing_lines' -%}
        {{ function }}(landed_on)
    {%- else -%}
        cast(null as date)
    {%- endif -%}
{%- endmacro %}


{#-
  Whether a file of CSV has a row whose time is later than the file's modification, an aggregate over its rows in raw. Most
  rows are told by their date, whose text is soon read; only those near to the modification are read as times. Of lines
  _load_lines() tells it.
-#}
{% macro _is_ahead_of_file(source) -%}
    {%- set column = _declared_column(source, source.time) if source.time else none -%}
    {%- if column is none -%}
        false
    {%- elif column.epoch -%}
        coalesce(bool_or({{ _read_value(column, '`' ~ column.raw_name ~ '`') }} > file_modified_at), false)
    {%- else -%}
        coalesce(bool_or(
            try_cast(left(`{{ column.raw_name }}`, 10) as date) >= date_sub(file_modified_at, 1)
            and {{ _read_value(column, '`' ~ column.raw_name ~ '`') }} > file_modified_at
        ), false)
    {%- endif -%}
{%- endmacro %}


{#- The sentence's part that refuses a file for its share of rows that are not valid; null where it may pass. -#}
{% macro _share_refusal(rows_not_valid, rows, source) -%}
    case
        when {{ rows_not_valid }} > {{ rows }} * {{ _limit_of(source, 'max_quarantined_share') }}
            then format_string(
                '%d of its %d rows are not valid, more than max_quarantined_share ('
                || '{{ _limit_of(source, "max_quarantined_share") }}) allows',
                {{ rows_not_valid }}, {{ rows }}
            )
    end
{%- endmacro %}


{#-
  The content of landed days that raw holds: `landed_on`, `content`. It is the set of a day's rows, whatever their order and
  file, told by their count and two exclusive ors over a hash of each; copies count once. This is the one definition of a
  delivery's content, wherever the files are.
-#}
{% macro _delivery_contents(source, raw, days) -%}
    select
        landed_on,
        concat_ws('-', count(*), hex(bit_xor(row_hash)), hex(bit_xor(xxhash64(row_hash)))) as content
    from (
        select distinct
            make_date(year, month, day) as landed_on,
            xxhash64(
                {%- for column in source.columns %}
                coalesce(`{{ column.raw_name }}`, ''),
                {%- endfor %}
                coalesce(malformed_line, ''),
                coalesce(other_columns, '')
            ) as row_hash
        from {{ raw }}
        where {{ _scope_predicate({'days': days}, none) }}
    )
    group by landed_on
{%- endmacro %}


{#- The daily deliveries that raw holds: a row for each landed day, with its files, its rows and its content. -#}
{% macro _deliveries(source) -%}
    select
        landed_on,
        sum(rows_landed) as rows_landed,
        sum(rows_loaded) as row_count,
        array_sort(array_distinct(flatten(collect_list(
            transform(
                filter(
                    columns,
                    landed -> size(landed.types) = 1
                    and landed.name not in {{ _text_list(source.columns | map(attribute='landed_name') | list) }}
                ),
                landed -> landed.name
            )
        )))) as other_columns,
        max(delivery_content) as content,
        max(loaded_at) as loaded_at
    from ({{ _known_files(source) }})
    group by landed_on
{%- endmacro %}
