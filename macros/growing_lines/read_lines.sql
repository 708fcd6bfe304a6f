{#-
  JSON lines whose keys grow: how a line is read and judged by its source's declaration, once. Called by the loader, which refuses
  files by it before their keys make columns, and by judged_lines().
-#}

{#-
  The lines of the relation `lines` (column `line`, `file_modified_at`, its others kept), read: adds
    landed_values, the JSON of each value by its key (see _read_json_lines)
    a column for each declared one, and for a key that is an expression, as values; null where it is not of its form
    reasons, what does not hold: line_malformed; else of a column whose reasons begin with `x`: x_missing, x_malformed, x_in_future,
      x_too_early and the like (see verdict)
    _is_of_form, whether there are none
-#}
{% macro _read_lines(source, lines) -%}
    with parsed as (
        {{ _read_json_lines(lines) }}
    ),

    texts as (
        select
            *,
            struct(
                {%- for column in source.columns %}
                {{ _json_text('landed_values[' ~ _text_literal(column.landed_name) ~ ']') }} as `{{ column.raw_name }}`{{ ',' if not loop.last }}
                {%- endfor %}
            ) as landed,
            struct(
                {%- for column in source.columns %}
                {{ _json_type('landed_values[' ~ _text_literal(column.landed_name) ~ ']') }} as `{{ column.raw_name }}`{{ ',' if not loop.last }}
                {%- endfor %}
            ) as landed_types
        from parsed
    ),

    valued as (
        select
            *,
            {%- for column in source.columns %}
            {{ _read_line_value(column) }} as {{ column.name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from texts
    ),

    keyed as (
        select
            *
            {%- if source.key_expression %},
            {{ _read_line_key(source) }} as {{ source.key }}
            {%- endif %}
        from valued
    ),

    judged as (
        select
            *,
            if(
                landed_values is null,
                array('line_malformed'),
                array_compact(array(
                    {%- for column in source.columns %}
                    {{ _line_reasons(source, column) }},
                    {%- endfor %}
                    {%- if source.key_expression %}
                    case when {{ source.key }} is null then '{{ source.key }}_missing' end,
                    {%- endif %}
                    cast(null as string)
                ))
            ) as reasons
        from keyed
    )

    select
        *,
        size(reasons) = 0 as is_of_form
    from judged
{%- endmacro %}


{#- A value of a declared column of lines. What is a text as a column is a JSON text, or a number that is written one way only. -#}
{% macro _read_line_value(column) -%}
    {%- set text = 'landed.`' ~ column.raw_name ~ '`' -%}
    {%- if column.type == 'string' -%}
        case
            when landed_types.`{{ column.raw_name }}` = 'string' and trim({{ text }}) <> '' then {{ text }}
            -- A number that only a double holds (over 38 digits, an exponent) is not told from its like.
            when landed_types.`{{ column.raw_name }}` = 'number' and {{ text }} rlike '^-?[0-9]+([.][0-9]*[1-9])?\\z' then {{ text }}
        end
    {%- else -%}
        {{ _read_value(column, text) }}
    {%- endif -%}
{%- endmacro %}


{#- What does not hold of a declared column of a line: SQL for reasons, null where all is well. -#}
{% macro _line_reasons(source, column) -%}
    {%- if column.type == 'string' -%}
        {%- set text = 'landed.`' ~ column.raw_name ~ '`' -%}
        {%- if not column.nullable -%}
        case when nullif(trim({{ text }}), '') is null then '{{ column.reason }}_missing' end,
        {% endif -%}
        case when nullif(trim({{ text }}), '') is not null and {{ column.name }} is null then '{{ column.reason }}_malformed' end
    {%- else -%}
        {{ _form_reasons(source, column) }}
    {%- endif -%}
{%- endmacro %}


{#- The key that an expression makes of values that are texts by the names of raw. -#}
{% macro _read_line_key(source) -%}
    {%- set sql = namespace(text=source.key_expression) -%}
    {%- set parts = [] -%}
    {%- for column in source.columns if modules.re.search('\\b' ~ column.raw_name ~ '\\b', source.key_expression) -%}
        {% do parts.append(column.name ~ ' is not null') %}
        {%- set sql.text = modules.re.sub('`?\\b' ~ column.raw_name ~ '\\b`?', 'landed.`' ~ column.raw_name ~ '`', sql.text) -%}
    {%- endfor -%}
    case when {{ parts | join(' and ') or 'true' }} then nullif(cast({{ sql.text }} as string), '') end
{%- endmacro %}


{#-
  Every line of the raw table of a source, with all its columns, and, with names that no landed key's column has,
    _landed_key: its key, also where the line is not valid; null where it says none
    _is_valid, _reasons: the verdict on it; the line is read once more only where it is not of the declared form
  `rules` has what else must hold: by its reason, the condition, on columns of raw, that breaks it.
  For the models judged_<source>.
-#}
{% macro judged_lines(raw, name, rules={}) -%}
    {%- set source = declared(name) -%}
    {%- set broken = [] -%}
    {%- for reason, condition in rules.items() -%}
        {% do broken.append('case when ' ~ condition ~ ' then ' ~ _text_literal(reason) ~ ' end') %}
    {%- endfor -%}
    select
        *,
        {{ source.key }} as _landed_key,
        {{ 'not coalesce(' ~ rules.values() | join(', false) and not coalesce(') ~ ', false)' if rules else 'true' }} as _is_valid,
        {{ 'array_compact(array(' ~ broken | join(', ') ~ '))' if rules else 'cast(array() as array<string>)' }} as _reasons
    from {{ raw }}
    where {{ source.time }} is not null and {{ source.key }} is not null
    union all
    select
        row_of_raw.*,
        {{ source.key if source.key_expression else 'landed.`' ~ _declared_column(source, source.key).raw_name ~ '`' }} as _landed_key,
        false as _is_valid,
        -- It was not of the form when it was loaded; by the rules of now it may be.
        if(size(reasons) > 0, reasons, array('invalid_when_loaded')) as _reasons
    from (
        {{ _read_lines(source, _unread_lines(raw, source)) }}
    )
{%- endmacro %}


{#- The lines of a raw table that are not of the declared form, each with its row as a struct. -#}
{% macro _unread_lines(raw, source) -%}
    (
        select
            struct(*) as row_of_raw,
            line,
            file_modified_at
        from {{ raw }}
        where {{ source.time }} is null or {{ source.key }} is null
    )
{%- endmacro %}
