{#-
  The load of JSON lines whose keys grow, by _load_source(): every line is a row, and each key of a line that is of its form
  has a column, which comes by itself in the run that first sees the key. Keys of a refused file make no columns. Where the
  view of landed rows is there already (`is_viewed`), all of it is loaded, and nothing is refused.
-#}
{% macro _load_lines(source, raw, existing, changes, is_viewed=false) %}
    {%- if not is_viewed -%}
        {% do _create_landed_view(source, changes.to_load | selectattr('columns') | list, []) %}
    {%- endif -%}
    {%- set keys = _judged_keys(source) -%}
    {% do _drop_judged_keys(source) %}
    {% call statement('judge_lines') -%}
        cache table {{ keys }} as
        select
            path,
            landed_on,
            landed_name,
            {{ _json_type('landed_text') }} as type,
            bool_or(is_ahead) as is_ahead,
            count(*) as value_count
        from (
            select
                path,
                _landed_on as landed_on,
                exists(reasons, reason -> endswith(reason, '_in_future')) as is_ahead,
                explode_outer(if(is_of_form, landed_values, null)) as (landed_name, landed_text)
            from (
                {{ _read_lines(source, _landed_rows(source)) }}
            )
        )
        group by path, landed_on, landed_name, {{ _json_type('landed_text') }}
    {%- endcall %}
    {#- A line of the form has each declared key once; any other has none. -#}
    {% call statement('judge_files') -%}
        cache table {{ keys }}__files as
        select
            files.path,
            files.landed_on,
            files.rows_malformed,
            files.is_ahead,
            files.is_refused,
            if(files.is_refused, null, files.columns) as columns
        from (
            select
                judged.*,
                {% if is_viewed -%}
                false as is_refused
                {%- else -%}
                {{ _share_refusal('judged.rows_malformed', 'judged.rows_loaded', source) }} is not null
                or coalesce(judged.rows_loaded <> listed.rows_landed, false)
                or listed.fault is not null as is_refused
                {%- endif %}
            from (
                select
                    path,
                    max(landed_on) as landed_on,
                    bool_or(is_ahead) as is_ahead,
                    sum(if(landed_name is null, value_count, 0)) as rows_malformed,
                    sum(if(landed_name is null or landed_name = {{ _text_literal(source.columns[0].landed_name) }}, value_count, 0))
                        as rows_loaded,
                    array_sort(collect_list(if(landed_name is null, null, struct(landed_name, types, typed_count)))) as columns
                from (
                    select
                        path,
                        landed_on,
                        landed_name,
                        array_sort(collect_list(type)) as types,
                        sum(if(type is null, 0, value_count)) as typed_count,
                        bool_or(is_ahead) as is_ahead,
                        sum(value_count) as value_count
                    from {{ keys }}
                    group by path, landed_on, landed_name
                )
                group by path
            ) as judged
            left join ({{ _listed_files(source.name) }}) as listed on judged.path = listed.path
        ) as files
    {%- endcall %}
    {%- if existing is none -%}
        {% do _create_raw_table(
            source, raw,
            'select `' ~ _raw_columns(source) | join('`, `') ~ '` from (' ~ _landed_lines_select(source, []) ~ ') where false'
        ) %}
    {%- endif -%}
    {%- set columns = _key_columns(source, raw) -%}
    {% do _add_key_columns(source, raw, columns) %}
    {%- set refused = run_query('select path from ' ~ keys ~ '__files where is_refused').columns[0].values() | list -%}
    {% call statement('load_lines') -%}
        {{ _replace_where(
            raw, 'path is not null' if is_viewed else _deliveries_in(source, changes, 'raw'), _in_columns_of(raw, _landed_lines_select(source, columns, refused))
        ) }}
    {%- endcall %}
{% endmacro %}


{#- The name of the cached query of the keys of a run's files; with `__files` behind it, that of the verdicts on the files. -#}
{% macro _judged_keys(source) -%}
    judged_keys__{{ _place_of('raw_' ~ source.name).schema }}__{{ source.name }}
{%- endmacro %}


{#- Let go of them, once they are noted, and before they are made anew. -#}
{% macro _drop_judged_keys(source) %}
    {% do run_query('drop view if exists ' ~ _judged_keys(source)) %}
    {% do run_query('drop view if exists ' ~ _judged_keys(source) ~ '__files') %}
{% endmacro %}


{#-
  What the raw table takes of the landed lines: the declared columns, null in a line that is not of its form; each further
  value in its key's column (`columns`, see _key_columns) or in other_values; the line itself. Of the files in `refused` no value
  is in a column.
-#}
{% macro _landed_lines_select(source, columns, refused=[]) -%}
    {%- set own_names = source.columns | map(attribute='landed_name') | list -%}
    {%- set keyed = source.columns | map(attribute='name') | list + ([source.key] if source.key_expression else []) -%}
    select
        {%- for column in keyed %}
        {{ column }},
        {%- endfor %}
        size(landed_values) as value_count,
        map_filter(
            landed_values,
            (name, landed_text) -> name not in {{ _text_list(own_names + columns | map(attribute='name') | list) }}
        ) as other_values,
        line,
        path,
        landed_on,
        file_modified_at,
        current_timestamp() as loaded_at,
        key_values.*
    from (
        select
            *,
            {{ _values_of_keys(columns) }} as key_values
        from (
            select
                {%- for column in keyed %}
                if(is_of_form, {{ column }}, null) as {{ column }},
                {%- endfor %}
                -- null is no value.
                map_filter(
                    {%- if refused %}
                    if(is_of_form and path not in {{ _text_list(refused) }}, landed_values, map()),
                    {%- else %}
                    if(is_of_form, landed_values, map()),
                    {%- endif %}
                    (name, landed_text) -> name not in {{ _text_list(own_names) }} and landed_text <> 'null'
                ) as landed_values,
                line,
                path,
                _landed_on as landed_on,
                file_modified_at
            from (
                {{ _read_lines(source, _landed_rows(source)) }}
            )
        )
    )
{%- endmacro %}


{#-
  The columns of keys that a raw table has, and after them those that this run gives it: a list as _named_columns gives. A
  new key of a file that is not refused gets the next column while there are fewer than max_columns, in the order of landed
  day, file and name.
-#}
{% macro _key_columns(source, raw) %}
    {%- set columns = [] -%}
    {%- for column in _columns_and_comments(raw) if column.landed_name is not none -%}
        {% do columns.append({'name': column.landed_name, 'column_name': column.column_name}) %}
    {%- endfor -%}
    {%- set room = _limit_of(source, 'max_columns') | int - columns | length -%}
    {%- if room > 0 -%}
        {%- set own_names = source.columns | map(attribute='landed_name') | list -%}
        {%- set sql -%}
            select keys.landed_name
            from {{ _judged_keys(source) }} as keys
            inner join {{ _judged_keys(source) }}__files as files on keys.path = files.path and not files.is_refused
            where keys.landed_name not in {{ _text_list(own_names + columns | map(attribute='name') | list) }}
            group by keys.landed_name
            order by min(struct(keys.landed_on, keys.path)), keys.landed_name
            limit {{ room }}
        {%- endset -%}
        {% do columns.extend(_named_columns(run_query(sql).columns[0].values() | list, raw, _raw_columns(source))) %}
    {%- endif -%}
    {{ return(columns) }}
{% endmacro %}


{#-
  With --full-refresh: add columns for keys that found none when they were loaded, while there are fewer than max_columns. Their
  values stay where they are, in other_values, and are read from there.
-#}
{% macro _add_waiting_key_columns(source, raw) %}
    {%- set columns = landed_columns('raw_' ~ source.name) -%}
    {%- set room = _limit_of(source, 'max_columns') | int - columns | length -%}
    {%- if room > 0 -%}
        {%- set sql -%}
            select landed_name
            from (select landed_on, path, explode(map_keys(other_values)) as landed_name from {{ raw }})
            where landed_name not in {{ _text_list([''] + columns | map(attribute='name') | list) }}
            group by landed_name
            order by min(struct(landed_on, path)), landed_name
            limit {{ room }}
        {%- endset -%}
        {%- set names = run_query(sql).columns[0].values() | list -%}
        {%- if names and _add_columns(raw, _named_columns(names, raw, _raw_columns(source))) -%}
            {% do _note_all_is_noted(raw) %}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- Add the columns that this run gives a raw table, and warn of very many, and of keys that get none. -#}
{% macro _add_key_columns(source, raw, columns) %}
    {%- set new = _add_columns(raw, columns) | map(attribute='name') | list -%}
    {%- if new | length > _limit_of(source, 'max_new_columns') | int -%}
        {% do exceptions.warn(
            new | length ~ ' new columns came in one run, more than max_new_columns (' ~ _limit_of(source, 'max_new_columns') ~ '): '
            ~ new[:5] | join(', ') ~ ', ...; each is a column of ' ~ raw
            ~ " now, and 'strata schema' lists them. If they are garbage, look at what sends them."
        ) %}
    {%- endif -%}
    {%- if columns | length >= _limit_of(source, 'max_columns') | int -%}
        {%- set names = run_query(
            'select count(distinct landed_name) from ' ~ _judged_keys(source) ~ ' where landed_name not in '
            ~ _text_list(source.columns | map(attribute='landed_name') | list + columns | map(attribute='name') | list)
        )[0][0] -%}
        {%- if names -%}
            {% do exceptions.warn(
                names ~ ' keys have no column, for ' ~ raw ~ ' has the ' ~ _limit_of(source, 'max_columns')
                ~ ' that max_columns allows: their values are in quarantine. Look at what sends them, or raise max_columns'
                ~ ' and build with --full-refresh.'
            ) %}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
