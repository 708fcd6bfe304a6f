{#-
  The rows of a raw table of CSV files, read by their declared forms. One row for each row of `raw`, with
    the declared columns by their names and types, null where the text is not of the form
    the key, where it is declared as an expression
    landed: a struct of the landed texts, by their names in raw
    other_columns, malformed_line, path, loaded_at as in raw; landed_on of daily snapshots; file_modified_at of events
  For the models judged_<source>, which add verdict().
-#}
{% macro read_rows(raw, name) -%}
    {%- set source = declared(name) -%}
    select
        {%- for column in source.columns %}
        {{ _read_value(column, '`' ~ column.raw_name ~ '`') }} as {{ column.name }},
        {%- endfor %}
        {%- if source.key_expression %}
        {{ _read_key(source) }} as {{ source.key }},
        {%- endif %}
        struct(`{{ source.columns | map(attribute='raw_name') | join('`, `') }}`) as landed,
        other_columns,
        malformed_line,
        path,
        {%- if source.arrives == 'daily_snapshot' %}
        make_date(year, month, day) as landed_on,
        {%- else %}
        file_modified_at,
        {%- endif %}
        loaded_at
    from {{ raw }}
{%- endmacro %}


{#- A landed text as a value of a declared column; null where it is not of the form. A cast alone is lenient. -#}
{% macro _read_value(column, text) -%}
    {%- if column.epoch -%}
        case when {{ text }} rlike '^-?[0-9]{1,17}\\z' then timestamp_{{ {'seconds': 'seconds', 'milliseconds': 'millis', 'microseconds': 'micros'}[column.epoch] }}(cast({{ text }} as bigint)) end
    {%- elif column.type == 'timestamp' -%}
        {{ _landed_time(text) }}
    {%- elif column.type == 'string' and not column.form -%}
        nullif({{ text }}, '')
    {%- elif column.type == 'string' -%}
        case when {{ text }} rlike {{ _form_of(column) }} then {{ text }} end
    {%- elif column.type == 'double' -%}
        {#- Too large for a double is none; -0.0 is 0. -#}
        case when {{ text }} rlike {{ _form_of(column) }} and abs(cast({{ text }} as double)) < double('infinity') then cast({{ text }} as double) + 0.0 end
    {%- else -%}
        case when {{ text }} rlike {{ _form_of(column) }} then try_cast({{ text }} as {{ column.type }}) end
    {%- endif -%}
{%- endmacro %}


{#- The pattern that a whole text of a column must have, as a literal: the declared form, or the one of its type. -#}
{% macro _form_of(column) -%}
    {%- set forms = {
        'bigint': '-?[0-9]{1,18}',
        'int': '-?[0-9]{1,9}',
        'double': '[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]{1,3})?',
        'date': '[0-9]{4}-[0-9]{2}-[0-9]{2}',
        'boolean': 'true|false',
    } -%}
    {%- set form = column.form or forms.get(column.type) -%}
    {%- if not form -%}
        {%- set digits, scale = modules.re.findall('[0-9]+', column.type) | map('int') -%}
        {%- set whole = '-?[0-9]{1,' ~ (digits - scale) ~ '}' if digits > scale else '-?0' -%}
        {%- set form = whole ~ ('([.][0-9]{1,' ~ scale ~ '})?' if scale else '') -%}
    {%- endif -%}
    {{- _text_literal('^(?:' ~ form ~ ')\\z') -}}
{%- endmacro %}


{#- The key that an expression makes of landed texts; null where one that it names is not of its form. -#}
{% macro _read_key(source) -%}
    {%- set parts = [] -%}
    {%- for column in source.columns if modules.re.search('\\b' ~ column.raw_name ~ '\\b', source.key_expression) -%}
        {% do parts.append('(' ~ _read_value(column, '`' ~ column.raw_name ~ '`') ~ ') is not null') %}
    {%- endfor -%}
    case when {{ parts | join(' and ') or 'true' }} then nullif(cast({{ source.key_expression }} as string), '') end
{%- endmacro %}


{#-
  Two columns for the rows that read_rows() gives: `is_valid`, never null, and `reasons`, an array of what does not hold.
  The declared forms give, for a column whose reasons begin with `x`: x_missing, x_malformed, x_too_low, x_too_high; for the
  time x_in_future (later than the file's modification) and x_too_early (before earliest_valid_date); for valid_from
  x_after_landed_day and x_too_early; and field_count for a line whose fields cannot be told apart. `rules` has more: by
  its reason, the condition that breaks it.

  Only the few rows that are not valid pay for their reasons: what does not select them does not compute them.
-#}
{% macro verdict(name, rules={}) -%}
    {%- set source = declared(name) -%}
    coalesce(
        malformed_line is null
        {%- for column in source.columns %}
        and {{ _is_of_form(source, column) }}
        {%- endfor %}
        {%- if source.key_expression %}
        and {{ source.key }} is not null
        {%- endif %}
        {%- for condition in rules.values() %}
        and not coalesce({{ condition }}, false)
        {%- endfor %},
        false
    ) as is_valid,
    if(
        malformed_line is not null,
        array('field_count'),
        array_compact(array(
            {%- for column in source.columns %}
            {{ _form_reasons(source, column) }},
            {%- endfor %}
            {%- if source.key_expression %}
            case when {{ source.key }} is null then '{{ source.key }}_missing' end,
            {%- endif %}
            {%- for reason, condition in rules.items() %}
            case when {{ condition }} then {{ _text_literal(reason) }} end,
            {%- endfor %}
            cast(null as string)
        ))
    ) as reasons
{%- endmacro %}


{#- Whether a value, read by read_rows(), is of its column's form and within its bounds; not true, maybe null, where not. -#}
{% macro _is_of_form(source, column) -%}
    {%- set name = column.name -%}
    {%- set conditions = [] -%}
    {%- if not column.nullable -%}
        {% do conditions.append(name ~ ' is not null') %}
    {%- endif -%}
    {%- for bound in _bounds_of(source, column) -%}
        {% do conditions.append(name ~ bound.allowed) %}
    {%- endfor -%}
    {%- if column.nullable -%}
        (nullif(landed.`{{ column.raw_name }}`, '') is null or ({{ ([name ~ ' is not null'] + conditions) | join(' and ') }}))
    {%- else -%}
        {{ conditions | join(' and ') }}
    {%- endif -%}
{%- endmacro %}


{#- What is wrong with a value, as elements of an array, null where nothing is. -#}
{% macro _form_reasons(source, column) -%}
    {%- set text = 'landed.`' ~ column.raw_name ~ '`' -%}
    {%- set reasons = [] -%}
    {%- if not column.nullable -%}
        {% do reasons.append('case when nullif(' ~ text ~ ", '') is null then '" ~ column.reason ~ "_missing' end") %}
    {%- endif -%}
    {%- if column.type != 'string' or column.form -%}
        {% do reasons.append('case when ' ~ text ~ " <> '' and " ~ column.name ~ " is null then '" ~ column.reason ~ "_malformed' end") %}
    {%- endif -%}
    {%- for bound in _bounds_of(source, column) -%}
        {% do reasons.append('case when not ' ~ column.name ~ bound.allowed ~ " then '" ~ column.reason ~ '_' ~ bound.broken ~ "' end") %}
    {%- endfor -%}
    {{- reasons | join(',\n            ') or 'cast(null as string)' -}}
{%- endmacro %}


{#-
  The bounds of a declared column, its own and those that its part in the source brings: a list of objects with `allowed`, the
  end of a condition that holds within the bound, and `broken`, the end of the reason where it does not.
-#}
{% macro _bounds_of(source, column) %}
    {%- set bounds = [] -%}
    {%- if column.name == source.time -%}
        {% do bounds.append({'allowed': ' <= file_modified_at', 'broken': 'in_future'}) %}
        {% do bounds.append({'allowed': ' >= ' ~ _earliest_valid_at(), 'broken': 'too_early'}) %}
    {%- elif column.name == source.valid_from -%}
        {%- set day_after = ' < date_add(landed_on, 1)' -%}
        {% do bounds.append({'allowed': day_after, 'broken': 'after_landed_day'}) %}
        {% do bounds.append({'allowed': ' >= ' ~ _earliest_valid_at(), 'broken': 'too_early'}) %}
    {%- endif -%}
    {%- if column.minimum is not none -%}
        {% do bounds.append({'allowed': ' >= cast(' ~ _text_literal(column.minimum) ~ ' as ' ~ column.type ~ ')', 'broken': 'too_low'}) %}
    {%- endif -%}
    {%- if column.maximum is not none -%}
        {% do bounds.append({'allowed': ' <= cast(' ~ _text_literal(column.maximum) ~ ' as ' ~ column.type ~ ')', 'broken': 'too_high'}) %}
    {%- endif -%}
    {{ return(bounds) }}
{% endmacro %}
