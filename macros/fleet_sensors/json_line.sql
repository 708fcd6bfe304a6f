{#-
  Patterns of JSON (RFC 8259), each without a group of its own. Their loops give nothing back (`*+`), so that Java's
  matcher needs no stack for them, however long the line is. NaN and Infinity are no JSON, and yet what programs write.
-#}
{% macro json_space() -%} [ \t\r]*+ {%- endmacro %}

{% macro json_string() -%}
    "[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"
{%- endmacro %}

{% macro json_scalar() -%}
    (?:{{ json_string() }}|-?(?:0|[1-9][0-9]*+)(?:[.][0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null|NaN|-?Infinity)
{%- endmacro %}

{#- An object or array in brackets, up to four deep. -#}
{% macro json_nested() -%}
    {%- set nested = namespace(pattern='[^"\\[\\]{}]++|' ~ json_string()) -%}
    {%- for _ in range(4) -%}
        {%- set nested.pattern = '[^"\\[\\]{}]++|' ~ json_string() ~ '|[\\[{](?:' ~ nested.pattern ~ ')*+[\\]}]' -%}
    {%- endfor -%}
    [\[{](?:{{ nested.pattern }})*+[\]}]
{%- endmacro %}


{#- A whole line that is a JSON object with scalars only. -#}
{% macro flat_object_pattern() -%}
    {%- set member = json_space() ~ json_string() ~ json_space() ~ ':' ~ json_space() ~ json_scalar() ~ json_space() -%}
    ^{{ json_space() }}[{](?:{{ member }}(?:,{{ member }})*+|{{ json_space() }})[}]{{ json_space() }}\z
{%- endmacro %}


{#- A key (group 1) and its value (group 2), wherever in a JSON object. -#}
{% macro member_pattern() -%}
    ({{ json_string() }}){{ json_space() }}:{{ json_space() }}({{ json_scalar() }}|{{ json_nested() }})
{%- endmacro %}


{#-
  The JSON lines of the relation `lines` (column `line`, its other columns kept), read: adds `landed_values`, the JSON
  text of each value by its key, and makes `line` null; of a line that is no JSON object, or has a key twice,
  `landed_values` is null and `line` stays.

  Why not from_json alone (Spark 4.1): it gives a number not as it landed (12.50 is 12.5, 1E400 a text), a text without
  its quotes, takes the first of two objects on a line, and is silent where a key is there twice. It is asked for what is
  no flat object, with the line inside another object, which must end where it is to end; what lies deeper than the
  pattern reaches is taken as it gives it.
-#}
{% macro read_json_lines(lines) -%}
    with tokens as (
        select
            *,
            line rlike {{ text_literal(flat_object_pattern()) }} as is_flat,
            transform(
                regexp_extract_all(line, {{ text_literal(member_pattern()) }}, 1),
                key -> {{ json_string_text('key') }}
            ) as keys,
            regexp_extract_all(line, {{ text_literal(member_pattern()) }}, 2) as texts
        from {{ lines }}
    ),

    parsed as (
        select
            *,
            case
                when not is_flat
                    then from_json(
                        '{"line":' || line || ',"ends_here":true}',
                        'line map<string, variant>, ends_here boolean',
                        map('allowSingleQuotes', 'false')
                    )
            end as wrapped
        from tokens
    ),

    with_values as (
        select
            *,
            case
                when (is_flat or (wrapped.ends_here and map_keys(wrapped.line) = keys)) and size(array_distinct(keys)) = size(keys)
                    then map_from_arrays(keys, texts)
                when wrapped.ends_here and size(array_distinct(map_keys(wrapped.line))) = size(wrapped.line)
                    then transform_values(wrapped.line, (key, value) -> to_json(value))
            end as landed_values
        from parsed
    )

    select
        * except (line, is_flat, keys, texts, wrapped, landed_values),
        landed_values,
        case when landed_values is null then line end as line
    from with_values
{%- endmacro %}


{#- What a JSON string says: the text in its quotes, escapes read. -#}
{% macro json_string_text(json) -%}
    if(
        contains({{ json }}, '\\'),
        from_json('[' || {{ json }} || ']', 'array<string>')[0],
        substring({{ json }}, 2, length({{ json }}) - 2)
    )
{%- endmacro %}


{#- The text of a JSON scalar: of a string what it says, of others as they landed; null for null. -#}
{% macro json_text(json) -%}
    case
        when startswith({{ json }}, '"')
            then {{ json_string_text(json) }}
        when {{ json }} <> 'null'
            then {{ json }}
    end
{%- endmacro %}


{#-
  What a JSON text is: `number`, `string`, `boolean`, `object`, `array`; `NaN`, or `infinity`, which a number too large
  for a double is as well; null for null.
-#}
{% macro json_type(json) -%}
    case
        when {{ json }} = 'null'
            then null
        when startswith({{ json }}, '"')
            then 'string'
        when startswith({{ json }}, '{')
            then 'object'
        when startswith({{ json }}, '[')
            then 'array'
        when {{ json }} in ('true', 'false')
            then 'boolean'
        when {{ json }} = 'NaN'
            then 'NaN'
        when {{ json }} like '%Infinity' or abs(cast({{ json }} as double)) = double('infinity')
            then 'infinity'
        else 'number'
    end
{%- endmacro %}


{#- A JSON object of JSON texts by their keys, as one line. -#}
{% macro json_line(landed_values) -%}
    '{' || array_join(
        transform(
            map_entries({{ landed_values }}),
            member -> substring(to_json(array(member.key)), 2, length(to_json(array(member.key))) - 2) || ': ' || member.value
        ),
        ', '
    ) || '}'
{%- endmacro %}
