{#-
  The JSON texts in the map `landed_values` as one struct, with a field for each of `columns` by its column's name. Written
  and read once more, for the reader finds a field by its hash; the map would be searched for each column.
-#}
{% macro _values_of_keys(columns) -%}
    {%- if not columns -%}
        {{ return('cast(null as struct<_none: string>)') }}
    {%- endif -%}
    {%- set fields = [] -%}
    {%- for column in columns -%}
        {% do fields.append({'name': column.name, 'type': 'string', 'nullable': true, 'metadata': {}}) %}
    {%- endfor -%}
    cast(
        from_json(
            to_json(landed_values),
            {{ _text_literal(tojson({'type': 'struct', 'fields': fields})) }},
            -- A field of this name would be Spark's own: no landed name is as long.
            map('columnNameOfCorruptRecord', '{{ '_' * ((columns | map(attribute='name') | map('length') | max) + 1) }}')
        )
        as struct<`{{ columns | map(attribute='column_name') | join('`: string, `') }}`: string>
    )
{%- endmacro %}


{#- The other way round: the texts of such columns as a map by the columns' names, without those that are null. -#}
{% macro _map_of_keys(columns) -%}
    {%- if not columns -%}
        {{ return('cast(map() as map<string, string>)') }}
    {%- endif -%}
    -- As JSON a struct lacks what is null.
    from_json(to_json(struct(`{{ columns | map(attribute='column_name') | join('`, `') }}`)), 'map<string, string>')
{%- endmacro %}
