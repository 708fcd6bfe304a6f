{#-
  What a daily snapshot says of each key: a row for each key of a landed day, and one without key for all rows of the day that have
  none. `sql` gives the judged rows, of the model judged_<source>; `condition` narrows them. Columns:
    landed_on, the key, the history's columns (of rows that differ the lowest of each), other_columns (the first by text)
    row_count: how many rows landed; has_invalid_row, has_different_rows: why all of them are quarantined; is_quarantined: whether
  Read by the snapshot, by the second derivation and by quarantine.
-#}
{% macro _daily_rows(source, sql, condition='true') -%}
    select
        *,
        has_invalid_row or has_different_rows as is_quarantined
    from (
        select
            landed_on,
            {{ source.key }},
            {%- for column in history_columns(source) %}
            min({{ column }}) as {{ column }},
            {%- endfor %}
            -- Beside the declared columns no value decides anything; of copies that differ there the first by text is taken.
            min(other_columns) as other_columns,
            count(*) as row_count,
            not bool_and(is_valid) as has_invalid_row,
            coalesce(
                {%- for column in source.columns if column.name != source.key %}
                {% if not loop.first %}or {% endif -%}
                max({{ column.name }}) <> min({{ column.name }})
                {%- if column.nullable %} or count({{ column.name }}) between 1 and count(*) - 1{% endif %}
                {%- else %}
                false
                {%- endfor %},
                false
            ) as has_different_rows
        -- Spread by key once: what is grouped, joined and ordered by key, here and by who reads this, is so already.
        from (
            select /*+ repartition({{ source.key }}) */
                landed_on,
                {{ source.key }},
                {%- for column in history_columns(source) %}
                {{ column }},
                {%- endfor %}
                other_columns,
                is_valid
            from ({{ sql }})
            where {{ condition }}
        )
        group by landed_on, {{ source.key }}
    )
{%- endmacro %}


{#-
  The columns of a history that its source gives: the declared ones beside the key, and its derived_columns. With `all` also the
  key, and the version's own.
-#}
{% macro history_columns(source, all=false) %}
    {%- set columns = source.columns | map(attribute='name') | reject('equalto', source.key) | list + source.derived_columns -%}
    {{ return(
        [source.key] + columns + ['version', 'valid_from', 'valid_to', 'recorded_on', 'closed_on'] if all else columns
    ) }}
{% endmacro %}


{#- What a snapshot's config is, from the declaration of its source: it is taken by its key, and compares the declared columns. -#}
{% macro history_config(name) %}
    {#- For dbt's state:modified: a snapshot is another when its materialization is. -#}
    {%- if false -%}{{ materialization_snapshot_spark() }}{%- endif -%}
    {%- set source = declared(name) -%}
    {{ return({
        'unique_key': source.key,
        'strategy': 'check',
        'check_cols': source.columns | map(attribute='name') | reject('equalto', source.key) | list,
        'hard_deletes': 'invalidate',
        'snapshot_meta_column_names': {
            'dbt_valid_from': 'valid_from', 'dbt_valid_to': 'valid_to', 'dbt_updated_at': 'recorded_on',
        },
        'tblproperties': {
            'delta.dataSkippingStatsColumns': source.key ~ ',valid_to,recorded_on,closed_on',
        },
    }) }}
{% endmacro %}


{#- The history's columns without a row, of the types that the judged rows have. -#}
{% macro _empty_history(source, sql) -%}
    select
        {{ source.key }},
        {%- for column in history_columns(source) %}
        {{ column }},
        {%- endfor %}
        cast(null as int) as version,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to,
        cast(null as date) as recorded_on,
        cast(null as date) as closed_on
    from ({{ sql }})
    where false
{%- endmacro %}


{#-
  The rows that keep a key out of the history on a landed day, as they landed, with all reasons: those of a key that has a row that
  is not valid, or rows that differ. It follows what raw holds, so that a day that is refused for its share can be looked at
  here. The body of the quarantine of a daily snapshot; `judged` is the model judged_<source>.
-#}
{% macro quarantined_days(judged, name) -%}
    {%- set source = declared(name) -%}
    {%- set scope = changes_of(ref('loaded_files'), by='landed_on', where="source = '" ~ name ~ "'") -%}
    {%- set raw_names = source.columns | map(attribute='raw_name') | map('lower') | list -%}
    select
        judged.landed.*,
        judged.other_columns,
        judged.malformed_line,
        {%- if source.key not in raw_names %}
        judged.{{ source.key }},
        {%- endif %}
        -- A row without a key concerns no other row.
        array_compact(array_append(
            array_append(
                judged.reasons,
                if(judged.is_valid and daily.has_invalid_row, '{{ _row_noun(source) }}_has_invalid_row', cast(null as string))
            ),
            if(
                judged.{{ source.key }} is not null and daily.has_different_rows,
                '{{ _row_noun(source) }}_has_different_rows',
                cast(null as string)
            )
        )) as reasons,
        judged.landed_on,
        judged.path,
        judged.loaded_at
    from {{ judged }} as judged
    inner join ({{ _daily_rows(source, 'select * from ' ~ judged, in_scope(scope, 'landed_on')) }}) as daily
        on judged.landed_on = daily.landed_on and judged.{{ source.key }} <=> daily.{{ source.key }}
    where daily.is_quarantined and {{ in_scope(scope, 'judged.landed_on') }}
{%- endmacro %}


{#- What a key of a source stands for, in reasons: order_id is of an order. -#}
{% macro _row_noun(source) -%}
    {{ source.key[:-3] if source.key.endswith('_id') else source.key }}
{%- endmacro %}
